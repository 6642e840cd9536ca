"""What time does: holds and requests expire by the database's clock, stays complete after check-out."""

import asyncio
from datetime import UTC, date, datetime, timedelta
from uuid import UUID, uuid4

import pytest
from nexus_bookings import timers
from nexus_bookings.stays import Stay
from nexus_contracts.bookings import BookingCompleted, BookingExpired

from tests.bookings.given import House


async def test_a_hold_that_nobody_pays_expires_by_itself_and_frees_its_nights(house: House) -> None:
    listing = await house.listing()
    booking = await house.book(listing, uuid4())

    await house.execute("UPDATE bookings SET expires_at = now() + interval '1 second'")
    expired = await house.becomes(booking, "expired")

    assert expired["expires_at"] is None
    assert await house.calendar(listing) == [1, 1]
    [fact] = await house.facts(BookingExpired, booking["id"])
    assert fact.sequence == 2


async def test_a_request_that_the_host_does_not_answer_expires(house: House) -> None:
    listing = await house.listing(instant_book=False)
    booking = await house.book(listing, uuid4())

    await house.overdue(booking)

    await house.becomes(booking, "expired")
    assert await house.calendar(listing) == [1, 1]


async def test_sweeping_many_at_once_from_two_processes_expires_each_once(house: House) -> None:
    listing = await house.listing(units=20)
    booked = [await house.book(listing, uuid4()) for _ in range(20)]
    runtime = house.service.app.state.runtime

    await house.execute("UPDATE bookings SET expires_at = now()")
    await asyncio.gather(*(timers.expire_overdue(runtime) for _ in range(3)))

    for booking in booked:
        await house.becomes(booking, "expired")
    assert len(await house.facts(BookingExpired)) == 20
    assert await house.calendar(listing) == [20, 20]


async def test_a_stay_completes_after_check_out(house: House) -> None:
    booking = await house.book(await house.listing(), uuid4())
    await house.execute("UPDATE bookings SET status = 'confirmed', expires_at = NULL, ends_at = now()")

    await house.becomes(booking, "completed")

    assert len(await house.facts(BookingCompleted, booking["id"])) == 1
    assert await house.value("SELECT count(*) FROM nights") == 0


async def test_check_out_is_an_instant_of_the_listings_zone(house: House) -> None:
    listing = await house.listing(timezone="Pacific/Kiritimati")
    booking = await house.book(listing, uuid4())

    ends_at = await house.value("SELECT ends_at FROM bookings WHERE id = :id", id=UUID(booking["id"]))

    check_out = datetime.combine(date.fromisoformat(booking["check_out"]), datetime.min.time(), UTC)
    assert ends_at == check_out + timedelta(hours=11 - 14)


@pytest.mark.parametrize(
    ("check_in", "begins_at"),
    [
        (date(2027, 3, 27), "2027-03-27T14:00:00+00:00"),
        (date(2027, 3, 28), "2027-03-28T13:00:00+00:00"),
        (date(2027, 10, 31), "2027-10-31T14:00:00+00:00"),
    ],
)
def test_check_in_keeps_its_local_time_across_a_change_of_clocks(check_in: date, begins_at: str) -> None:
    stay = Stay(check_in, check_in + timedelta(days=1), "Europe/Rome")

    assert stay.begins_at.isoformat() == begins_at
    assert stay.length == len(stay.nights) == 1
