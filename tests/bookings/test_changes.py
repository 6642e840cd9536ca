"""Changes: other dates or guests for a confirmed booking, with the difference paid or given back to the cent."""

from datetime import timedelta
from uuid import UUID, uuid4

import pytest
from nexus_bookings.changes.models import LEGAL_MOVES, BookingChange, ChangeStatus
from nexus_contracts.bookings import BookingConfirmed, NightsChanged
from nexus_contracts.changes import (
    BookingChanged,
    BookingChangeDeclined,
    BookingChangeExpired,
    BookingChangeHeld,
    BookingChangeRequested,
)
from nexus_kit.errors import IllegalTransition
from nexus_kit.testing import signed_in

from tests.bookings.books import PAYOUT, TAX, TOTAL, ledger_of
from tests.bookings.changing import (
    NIGHT,
    answer,
    ask,
    becomes,
    change,
    overdue,
    read,
    went_back,
    wish,
)
from tests.bookings.given import ARRIVAL, House, Json, code, nights_from, succeeded

pytestmark = pytest.mark.usefixtures("balanced_books", "exact_nights")


# ---------------------------------------------------------------------------------------------- at once


async def test_a_shorter_stay_is_taken_over_at_once_and_the_difference_comes_back(house: House) -> None:
    listing = await house.listing()
    booking, _ = await house.sell(listing)
    quote = await wish(house, booking, nights=1)

    made = succeeded(await ask(house, booking, quote))

    assert quote["difference"]["to_refund"]["amount"] == NIGHT
    assert quote["difference"]["to_pay"]["amount"] == 0
    assert made["status"] == "applied"
    now = await house.read(booking)
    assert (now["status"], now["check_out"]) == ("confirmed", (ARRIVAL + timedelta(days=1)).isoformat())
    assert now["total"] == quote["total"] == now["price"]["total"]
    assert now["cancellation"] == quote["cancellation"]
    assert await house.calendar(listing) == [0, 1]
    await went_back(house, NIGHT)
    accounts = await ledger_of(house, booking)
    assert accounts["host_payable"] == -quote["host_payout"]["amount"]
    assert accounts["tax"] == -quote["tax"]["amount"]
    [fact] = await house.facts(BookingChanged)
    assert (fact.data.before.total.amount, fact.data.after.total.amount) == (TOTAL, TOTAL - NIGHT)
    assert fact.data.to_refund.amount == NIGHT


async def test_moving_a_stay_by_a_day_swaps_only_the_nights_that_differ(house: House) -> None:
    listing = await house.listing()
    booking, _ = await house.sell(listing)

    made = await change(house, booking, days=1)

    assert made["status"] == "applied"
    assert await house.calendar(listing, days=3) == [1, 0, 0]
    last = (await house.facts(NightsChanged))[-2:]
    assert [(fact.data.sold_out, fact.data.freed) for fact in last] == [
        ([ARRIVAL + timedelta(days=2)], []),
        ([], [ARRIVAL]),
    ]
    assert await house.value("SELECT count(*) FROM refunds") == 0


async def test_a_changed_booking_is_cancelled_for_what_was_paid_in_sum(house: House) -> None:
    booking, _ = await house.sell()
    await change(house, booking, nights=3)
    await house.press(await house.pay(booking))
    await becomes(house, booking, "applied")
    await change(house, booking, nights=1)

    cancelled = succeeded(await house.act(booking, "cancel", booking["guest_id"]))

    assert cancelled["refund"]["amount"] == TOTAL - NIGHT
    await went_back(house, TOTAL + NIGHT)
    assert set(await ledger_of(house, booking)) == {"provider", "provider_charge"}


# ---------------------------------------------------------------------------------------------- dearer


async def test_a_longer_stay_waits_for_the_difference_with_the_nights_of_both(house: House) -> None:
    listing = await house.listing()
    booking, _ = await house.sell(listing)

    made = await change(house, booking, days=1, nights=3)

    assert made["status"] == "pending_payment"
    assert made["difference"]["to_pay"]["amount"] == NIGHT
    assert await house.calendar(listing, days=5) == [0, 0, 0, 0, 1]
    assert (await house.read(booking))["total"]["amount"] == TOTAL
    payment = await house.pay(booking)
    assert (payment["amount"]["amount"], payment["change_id"]) == (NIGHT, made["id"])
    await house.press(payment)
    await becomes(house, booking, "applied")
    assert await house.calendar(listing, days=5) == [1, 0, 0, 0, 1]
    assert (await house.read(booking))["total"]["amount"] == TOTAL + NIGHT
    shares = await ledger_of(house, booking)
    assert shares["host_payable"] < -PAYOUT
    assert shares["tax"] < -TAX
    assert "guest" not in shares
    assert len(await house.facts(BookingChangeHeld)) == len(await house.facts(BookingConfirmed)) == 1


async def test_a_difference_that_is_not_paid_in_time_leaves_the_booking_as_it_was(house: House) -> None:
    listing = await house.listing()
    booking, _ = await house.sell(listing)
    await change(house, booking, nights=3)

    await overdue(house)
    await becomes(house, booking, "expired")

    assert await house.calendar(listing, days=3) == [0, 0, 1]
    assert (await house.read(booking))["total"]["amount"] == TOTAL
    assert len(await house.facts(BookingChangeExpired)) == 1
    assert code(await house.act(booking, "payments", booking["guest_id"])) == (409, "not_payable")


async def test_a_change_whose_time_is_up_is_out_of_the_way_of_the_next_at_once(house: House) -> None:
    booking, _ = await house.sell()
    await change(house, booking, nights=3)
    shorter = await wish(house, booking, nights=1)

    await overdue(house)
    made = succeeded(await ask(house, booking, shorter))

    assert [each["status"] for each in await read(house, booking)] == ["applied", "expired"]
    assert made["status"] == "applied"


async def test_a_difference_that_is_paid_too_late_goes_back(house: House) -> None:
    booking, _ = await house.sell()
    await change(house, booking, nights=3)
    payment = await house.pay(booking)
    await overdue(house)
    await becomes(house, booking, "expired")

    await house.press(payment)

    await went_back(house, NIGHT)
    assert (await house.read(booking))["total"]["amount"] == TOTAL
    assert "guest" not in await ledger_of(house, booking)


# ---------------------------------------------------------------------------------------------- the host is asked


async def sell_on_request(house: House) -> Json:
    booking = await house.book(await house.listing(instant_book=False), uuid4())
    succeeded(await house.act(booking, "accept", booking["host_id"]))
    await house.press(await house.pay(booking))
    return await house.becomes(booking, "confirmed")


async def test_a_host_accepts_a_change_which_is_made_when_it_costs_nothing_and_paid_otherwise(house: House) -> None:
    booking = await sell_on_request(house)

    cheaper = await change(house, booking, nights=1)
    made = succeeded(await answer(house, cheaper, "accept", booking["host_id"]))
    dearer = await change(house, booking, nights=2)
    awaited = succeeded(await answer(house, dearer, "accept", booking["host_id"]))

    assert (cheaper["status"], made["status"]) == ("requested", "applied")
    assert (dearer["status"], awaited["status"]) == ("requested", "pending_payment")
    await house.press(await house.pay(booking))
    await becomes(house, booking, "applied")
    assert (await house.read(booking))["total"]["amount"] == TOTAL
    assert len(await house.facts(BookingChangeRequested)) == 2
    assert [fact.sequence for fact in await house.facts(BookingChanged)] == [5, 8]


async def test_a_host_who_declines_a_change_leaves_the_booking_as_it_was(house: House) -> None:
    booking = await sell_on_request(house)
    asked = await change(house, booking, days=1)

    declined = succeeded(await answer(house, asked, "decline", booking["host_id"]))

    assert declined["status"] == "declined"
    assert (await house.read(booking))["check_in"] == ARRIVAL.isoformat()
    assert code(await answer(house, asked, "accept", booking["host_id"])) == (409, "illegal_transition")
    assert len(await house.facts(BookingChangeDeclined)) == 1


@pytest.mark.parametrize("verb", ["accept", "decline"])
async def test_an_answer_that_is_sent_again_with_its_key_is_answered_again(house: House, verb: str) -> None:
    booking = await sell_on_request(house)
    asked = await change(house, booking, nights=3)
    url = f"/api/v1/bookings/{booking['id']}/changes/{asked['id']}/{verb}"
    headers = {**signed_in(UUID(booking["host_id"])), "Idempotency-Key": "my answer"}

    first, again = [await house.client.post(url, headers=headers) for _ in range(2)]

    assert succeeded(first) == again.json()
    assert again.headers["Idempotency-Replayed"] == "true"


async def test_only_the_host_answers_and_only_in_time(house: House) -> None:
    booking = await sell_on_request(house)
    asked = await change(house, booking, nights=3)

    assert code(await answer(house, asked, "accept", booking["guest_id"])) == (403, "only_the_host")
    assert code(await answer(house, asked, "accept", uuid4())) == (404, "not_found")
    assert code(await answer(house, asked | {"id": str(uuid4())}, "accept", booking["host_id"])) == (404, "not_found")
    await overdue(house)
    assert code(await answer(house, asked, "accept", booking["host_id"])) == (409, "illegal_transition")
    await becomes(house, booking, "expired")


# ---------------------------------------------------------------------------------------------- refused


async def test_a_quote_is_good_for_what_it_was_made_for(house: House) -> None:
    listing = await house.listing(units=2)
    booking, _ = await house.sell(listing)
    other = await house.quote(listing, UUID(booking["guest_id"]))
    shorter, longer = await wish(house, booking, nights=1), await wish(house, booking, nights=3)

    assert code(await ask(house, booking, other)) == (404, "not_found")
    assert code(await house.ask_booking(shorter["id"], UUID(booking["guest_id"]))) == (404, "not_found")
    succeeded(await ask(house, booking, shorter))
    assert code(await ask(house, booking, shorter)) == (409, "quote_used")
    assert code(await ask(house, booking, longer)) == (409, "quote_expired"), "it compares with another price"


async def test_what_cannot_be_changed_is_not_quoted(house: House) -> None:
    listing = await house.listing(units=2)
    booking, _ = await house.sell(listing)
    guest, changed = UUID(booking["guest_id"]), {"booking_id": booking["id"]}

    same = await house.ask_quote(listing.id, guest, **changed)
    elsewhere = await house.ask_quote((await house.listing()).id, guest, guests=1, **changed)
    stranger = await house.ask_quote(listing.id, uuid4(), guests=1, **changed)
    await house.execute("UPDATE bookings SET check_in = current_date - 1, check_out = current_date + 1")
    begun = await house.ask_quote(listing.id, guest, guests=1, **changed)
    await house.execute(
        "UPDATE bookings SET check_in = :first, check_out = :end", first=ARRIVAL, end=ARRIVAL + timedelta(2)
    )

    assert code(same) == (422, "nothing_changes")
    assert code(elsewhere) == code(stranger) == (404, "not_found")
    assert code(begun) == (409, "not_changeable")


async def test_nights_of_others_are_not_to_be_had(house: House) -> None:
    listing = await house.listing()
    booking, _ = await house.sell(listing)
    longer = await wish(house, booking, nights=3)
    await house.book(listing, uuid4(), **nights_from(ARRIVAL + timedelta(days=2), 1))

    late = await ask(house, booking, longer)
    dates = nights_from(ARRIVAL, 3)
    guest = UUID(booking["guest_id"])
    again = await house.ask_quote(listing.id, guest, **dates, booking_id=booking["id"])

    assert code(late) == code(again) == (409, "dates_unavailable")
    assert await read(house, booking) == []


# ---------------------------------------------------------------------------------------------- and cancellation


@pytest.mark.parametrize("party", ["guest", "host"])
async def test_cancelling_the_booking_ends_its_change_and_late_money_goes_back(house: House, party: str) -> None:
    listing = await house.listing()
    booking, _ = await house.sell(listing)
    await change(house, booking, nights=3)
    payment = await house.pay(booking)

    cancelled = succeeded(await house.act(booking, "cancel", booking[f"{party}_id"]))
    await house.press(payment)

    assert cancelled["refund"]["amount"] == TOTAL
    assert (await read(house, booking))[0]["status"] == "cancelled"
    await went_back(house, TOTAL + NIGHT)
    closed = {"guest": [1, 1, 1], "host": [0, 0, 1]}
    assert await house.calendar(listing, days=3) == closed[party], "what only the change wanted is free"


@pytest.mark.parametrize("status", list(ChangeStatus))
def test_only_legal_moves_are_made(status: ChangeStatus) -> None:
    for target in ChangeStatus:
        moved = BookingChange(status=status)
        if target in LEGAL_MOVES[status]:
            moved.move(target)
            assert moved.status is target
        else:
            with pytest.raises(IllegalTransition):
                moved.move(target)
