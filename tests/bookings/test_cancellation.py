"""Cancellation: exact deadlines from each policy, and a preview that is what the cancellation gives back."""

import operator
import random
from datetime import UTC, date, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st
from nexus_bookings.bookings import service as bookings
from nexus_bookings.bookings.models import Booking
from nexus_bookings.cancellation import CancellationTerms, RefundTier, terms
from nexus_bookings.pricing import percent_of
from nexus_bookings.stays import Stay
from nexus_contracts.listings import CancellationPolicy
from nexus_contracts.rates import CancellationTier
from nexus_kit.testing import signed_in
from sqlalchemy import update

from tests.bookings.given import House, Json, birr, snapshot, succeeded

CHECK_IN = date(2027, 6, 30)
"""At 15:00 in Addis Ababa: 12:00 UTC."""


def stated(**changes: Any) -> list[tuple[str, int]]:
    """The tiers of a listing's terms, with their instants in UTC."""
    listing = snapshot(**changes)
    stay = Stay.at(listing, CHECK_IN, CHECK_IN + timedelta(days=2))
    return [(f"{tier.until:%m-%d %H:%M}", tier.refund_percent) for tier in terms(listing, stay).tiers]


@pytest.mark.parametrize(
    ("policy", "tiers"),
    [
        (CancellationPolicy.FLEXIBLE, [("06-29 12:00", 100), ("06-30 12:00", 50)]),
        (CancellationPolicy.MODERATE, [("06-25 12:00", 100), ("06-29 12:00", 50)]),
        (CancellationPolicy.STRICT, [("06-16 12:00", 100), ("06-23 12:00", 50)]),
    ],
)
def test_each_policy_has_deadlines_at_the_hour_of_check_in(
    policy: CancellationPolicy, tiers: list[tuple[str, int]]
) -> None:
    assert stated(cancellation_policy=policy) == tiers


def test_a_custom_policy_has_the_hosts_own_deadlines() -> None:
    own = (
        CancellationTier(hours_before_check_in=72, refund_percent=90),
        CancellationTier(hours_before_check_in=1, refund_percent=15),
    )

    found = stated(cancellation_policy=CancellationPolicy.CUSTOM, cancellation_tiers=own)

    assert found == [("06-27 12:00", 90), ("06-30 11:00", 15)]
    assert stated(cancellation_policy=CancellationPolicy.CUSTOM, cancellation_tiers=()) == []
    assert stated(cancellation_policy=CancellationPolicy.FLEXIBLE, cancellation_tiers=own)[0][1] == 100


def test_a_tier_ends_at_its_very_instant() -> None:
    deadline = datetime(2027, 6, 29, 12, tzinfo=UTC)
    policy = CancellationTerms(policy=CancellationPolicy.CUSTOM, tiers=[RefundTier(until=deadline, refund_percent=70)])

    assert policy.refund_percent(deadline - timedelta(microseconds=1)) == 70
    assert policy.refund_percent(deadline) == 0


@given(
    policy=st.sampled_from(CancellationPolicy),
    custom=st.lists(
        st.builds(CancellationTier, hours_before_check_in=st.integers(0, 8760), refund_percent=st.integers(0, 100)),
        max_size=10,
        unique_by=(operator.attrgetter("hours_before_check_in"), operator.attrgetter("refund_percent")),
    ),
    moments=st.tuples(st.integers(-500, 9000), st.integers(-500, 9000)).map(sorted),
)
def test_waiting_never_gives_more_back(
    policy: CancellationPolicy, custom: list[CancellationTier], moments: list[int]
) -> None:
    percents = sorted((tier.refund_percent for tier in custom), reverse=True)
    hours = sorted((tier.hours_before_check_in for tier in custom), reverse=True)
    falling = tuple(
        CancellationTier(hours_before_check_in=hour, refund_percent=percent)
        for hour, percent in zip(hours, percents, strict=True)
    )
    listing = snapshot(cancellation_policy=policy, cancellation_tiers=falling)
    stay = Stay.at(listing, CHECK_IN, CHECK_IN + timedelta(days=2))
    stated = terms(listing, stay)

    later, earlier = (stay.begins_at - timedelta(hours=hours) for hours in moments)

    assert stated.refund_percent(earlier) >= stated.refund_percent(later)
    assert stated.refund_percent(stay.begins_at) == 0


# ---------------------------------------------------------------------------------------------- preview and execution


@pytest.fixture
async def paid(house: House) -> Json:
    """A confirmed booking of an odd amount."""
    listing = await house.listing(price=birr(333_333), cleaning_fee=birr(77))
    booking = await house.book(listing, uuid4())
    await house.press(await house.pay(booking))
    return await house.becomes(booking, "confirmed")


def tiers_around_now(chance: random.Random) -> CancellationTerms:
    """Some deadlines that have passed and some to come."""
    deadlines = sorted(datetime.now(UTC) + timedelta(hours=chance.randint(-100, 100)) for _ in range(4))
    return CancellationTerms(
        policy=CancellationPolicy.CUSTOM,
        tiers=[RefundTier(until=until, refund_percent=chance.randint(0, 100)) for until in deadlines],
    )


async def test_preview_and_cancellation_agree_to_the_cent_at_any_instant_under_any_terms(
    house: House, paid: Json
) -> None:
    chance, seen = random.Random(4), set()
    guest = UUID(paid["guest_id"])

    for _ in range(40):
        policy = tiers_around_now(chance)
        async with house.service.database.unit_of_work() as session:  # in which the database's clock stands still
            await session.execute(update(Booking).values(cancellation=policy))
            booking = await bookings.get(session, UUID(paid["id"]), guest)
            now = booking.as_of
            preview = await bookings.refund_due(session, booking, guest)
            cancelled = await bookings.cancel(session, booking.id, guest)
            refund = cancelled.refund
            await session.rollback()  # it has shown what it would do
        percent = policy.refund_percent(now)
        assert preview == refund == birr(percent_of(paid["total"]["amount"], percent))
        seen.add(percent)

    assert len(seen) > 10


@pytest.mark.parametrize(
    ("hours_to_go", "refund"), [((1, 2), 833_428), ((-1, 2), 416_714), ((-2, -1), 0)], ids=["full", "half", "nothing"]
)
async def test_a_guest_gets_back_what_the_terms_give_at_that_time(
    house: House, paid: Json, hours_to_go: tuple[int, int], refund: int
) -> None:
    first, second = (datetime.now(UTC) + timedelta(hours=hours) for hours in hours_to_go)
    moved = CancellationTerms(
        policy=CancellationPolicy.FLEXIBLE,
        tiers=[RefundTier(until=first, refund_percent=100), RefundTier(until=second, refund_percent=50)],
    )
    await house.execute("UPDATE bookings SET cancellation = cast(:terms AS jsonb)", terms=moved.model_dump_json())
    url = f"/api/v1/bookings/{paid['id']}/cancellation-preview"

    preview = succeeded(await house.client.get(url, headers=signed_in(UUID(paid["guest_id"]))))
    as_host = succeeded(await house.client.get(url, headers=signed_in(UUID(paid["host_id"]))))
    cancelled = succeeded(await house.act(paid, "cancel", paid["guest_id"]))

    assert paid["total"]["amount"] == 833_428
    assert preview["refund"] == cancelled["refund"] == {"amount": refund, "currency": "ETB"}
    assert as_host["refund"] == paid["total"]


async def test_a_host_who_cancels_pays_everything_back_whatever_the_terms_say(house: House, paid: Json) -> None:
    await house.execute("""UPDATE bookings SET cancellation = '{"policy": "strict", "tiers": []}'""")

    cancelled = succeeded(await house.act(paid, "cancel", paid["host_id"]))

    assert (cancelled["refund"], cancelled["cancelled_by"]) == (paid["total"], "host")
