"""Whoever changes a stay gets nothing back by it that the terms no longer gave: not at once, and not later."""

from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest
from nexus_bookings.cancellation import CancellationTerms, RefundTier
from nexus_contracts.listings import CancellationPolicy, ListingSnapshot, ListingUpdated
from nexus_kit.testing import signed_in

from tests.bookings.books import FEE, PAYOUT, TAX, TOTAL, ledger_of
from tests.bookings.changing import NIGHT, answer, ask, becomes, change, went_back, wish
from tests.bookings.given import House, Json, birr, succeeded

pytestmark = pytest.mark.usefixtures("balanced_books", "exact_nights")

HALF = 593_750
"""Of the total."""
FAR_AWAY = 200


async def sell(house: House, percent: int, listing: ListingSnapshot | None = None) -> Json:
    """A paid stay of which, by now, so many percent come back."""
    booking, _ = await house.sell(listing)
    tiers = [RefundTier(until=datetime.now(UTC) + timedelta(days=1), refund_percent=percent)]
    terms = CancellationTerms(policy=CancellationPolicy.STRICT, tiers=tiers)
    await house.execute("UPDATE bookings SET cancellation = cast(:terms AS jsonb)", terms=terms.model_dump_json())
    return booking


async def preview(house: House, booking: Json, party: str = "guest_id") -> int:
    url = f"/api/v1/bookings/{booking['id']}/cancellation-preview"
    found: int = succeeded(await house.client.get(url, headers=signed_in(UUID(booking[party]))))["refund"]["amount"]
    return found


async def cancel(house: House, booking: Json, party: str = "guest_id") -> int:
    """What comes back: as much as the preview promised."""
    promised = await preview(house, booking, party)
    refund: int = succeeded(await house.act(booking, "cancel", booking[party]))["refund"]["amount"]
    assert refund == promised
    return refund


@pytest.mark.parametrize(("percent", "refund"), [(100, TOTAL), (50, TOTAL - HALF), (0, 0)])
async def test_a_stay_that_is_moved_far_away_and_cancelled_there_gives_back_what_it_gave_before(
    house: House, percent: int, refund: int
) -> None:
    booking = await sell(house, percent)

    moved = await change(house, booking, days=FAR_AWAY)

    assert moved["status"] == "applied"
    now = await house.read(booking)
    assert now["cancellation"]["tiers"][0]["refund_percent"] == 100
    assert now["cancellation"]["non_refundable"] == {"amount": TOTAL - refund, "currency": "ETB"}
    assert await cancel(house, booking) == refund
    await went_back(house, refund)


@pytest.mark.parametrize(("percent", "lost"), [(100, 0), (50, HALF), (0, TOTAL)])
async def test_a_shorter_stay_gives_back_no_more_than_cancelling_would(house: House, percent: int, lost: int) -> None:
    booking = await sell(house, percent)
    usual = TOTAL - NIGHT

    quote = await wish(house, booking, nights=1)
    succeeded(await ask(house, booking, quote))

    price = max(usual, lost)
    assert quote["total"]["amount"] == price
    assert quote["retained"]["amount"] == price - usual
    assert quote["difference"]["to_refund"]["amount"] == TOTAL - price
    assert (await house.read(booking))["total"]["amount"] == price
    await went_back(house, TOTAL - price)
    assert await cancel(house, booking) == price - lost
    await went_back(house, TOTAL - lost)


async def test_what_was_retained_is_the_hosts_and_counts_when_the_stay_grows_again(house: House) -> None:
    booking = await sell(house, 0)

    await change(house, booking, nights=1)

    shares = await ledger_of(house, booking)
    assert -shares["host_payable"] > PAYOUT
    assert -sum(shares[name] for name in ("host_payable", "platform_fee", "tax")) == TOTAL
    again = await change(house, booking, nights=2)
    assert (again["status"], again["difference"]["to_pay"]["amount"]) == ("applied", 0)
    shares = await ledger_of(house, booking)
    assert (shares["host_payable"], shares["platform_fee"], shares["tax"]) == (-PAYOUT, -FEE, -TAX)


async def test_what_is_paid_on_top_comes_back_by_the_new_terms(house: House) -> None:
    booking = await sell(house, 0)
    await change(house, booking, days=FAR_AWAY, nights=3)
    await house.press(await house.pay(booking))
    await becomes(house, booking, "applied")

    assert await cancel(house, booking) == NIGHT
    await went_back(house, NIGHT)


async def test_moving_twice_does_not_wash_it_off(house: House) -> None:
    booking = await sell(house, 50)

    await change(house, booking, days=FAR_AWAY)
    await change(house, booking, days=FAR_AWAY + 5, nights=1)
    await change(house, booking, days=FAR_AWAY + 10)
    await house.press(await house.pay(booking))
    await becomes(house, booking, "applied")

    assert await cancel(house, booking) == TOTAL - HALF


async def test_a_host_who_says_yes_gives_up_nothing_that_was_theirs(house: House) -> None:
    listing = await house.listing()
    booking = await sell(house, 0, listing)
    asks_first = listing.model_copy(update={"version": 2, "instant_book": False})
    await house.deliver(ListingUpdated(listing_id=listing.id, listing=asks_first))

    asked = await change(house, booking, days=FAR_AWAY)
    succeeded(await answer(house, asked, "accept", booking["host_id"]))

    assert await preview(house, booking) == 0
    assert await cancel(house, booking, "host_id") == TOTAL
    await went_back(house, TOTAL)


def test_terms_never_give_back_what_was_lost_whatever_their_tiers_say() -> None:
    tiers = [RefundTier(until=datetime.max.replace(tzinfo=UTC), refund_percent=60)]
    terms = CancellationTerms(policy=CancellationPolicy.CUSTOM, tiers=tiers, non_refundable=birr(300))

    assert [terms.refund(paid, datetime.now(UTC)) for paid in (200, 300, 500, 750, 1000)] == [0, 0, 200, 450, 600]
