"""What time does: holds and requests expire by the database's clock, stays complete after check-out."""

import asyncio
from datetime import UTC, date, datetime, time, timedelta
from uuid import UUID, uuid4

import httpx
from nexus_bookings import timers
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
    listing = await house.listing(timezone="Pacific/Kiritimati", check_out_time=time(9, 30))
    booking = await house.book(listing, uuid4())

    ends_at = await house.value("SELECT ends_at FROM bookings WHERE id = :id", id=UUID(booking["id"]))

    check_out = datetime.combine(date.fromisoformat(booking["check_out"]), datetime.min.time(), UTC)
    assert ends_at == check_out + timedelta(hours=9.5 - 14)


async def test_a_booking_that_cannot_be_moved_is_counted_and_does_not_stop_the_others(house: House) -> None:
    listing = await house.listing(units=3)
    first, bad, last = [await house.book(listing, uuid4()) for _ in range(3)]
    # As if it had expired already, which the timeline refuses to be told twice.
    await house.execute(
        "INSERT INTO booking_moves (booking_id, version, what, status, by) "
        "VALUES (:id, 2, 'expired', 'expired', 'system')",
        id=UUID(bad["id"]),
    )
    failed = 'bookings_failed_moves_total{move="expire"}'
    before = metric(await house.client.get("/metrics"), failed)

    await house.execute(
        "UPDATE bookings SET expires_at = now() - interval '1 minute' * (3 - unit) FROM nights "
        "WHERE nights.booking_id = bookings.id"
    )
    await timers.expire_overdue(house.service.app.state.runtime)

    for booking in (first, last):
        await house.becomes(booking, "expired")
    assert (await house.read(bad))["status"] == "pending_payment"
    assert metric(await house.client.get("/metrics"), failed) > before
    await house.execute("DELETE FROM booking_moves WHERE version = 2 AND booking_id = :id", id=UUID(bad["id"]))
    await house.becomes(bad, "expired")


def metric(answer: httpx.Response, name: str) -> float:
    """Its value; 0 before it is counted for the first time."""
    lines = (line.rpartition(" ") for line in answer.text.splitlines())
    return next((float(value) for found, _, value in lines if found == name), 0.0)
