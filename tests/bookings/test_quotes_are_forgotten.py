"""Quotes that nobody took up are forgotten after a day; those of bookings and changes stay."""

from datetime import timedelta
from uuid import UUID, uuid4

import pytest
from nexus_bookings.quotes import service as quotes
from nexus_contracts.listings import ListingSnapshot
from nexus_kit.testing import signed_in

from tests.bookings.given import ARRIVAL, House, nights_from, succeeded

OLD = "UPDATE quotes SET id = uuidv7(-make_interval(days => :days)), valid_until = now() - make_interval(days => :days)"
COPIES = """
    INSERT INTO quotes (id, guest_id, listing_id, check_in, check_out, timezone, check_in_time, check_out_time, guests,
        price, cancellation, booking_id, difference_amount, valid_until)
    SELECT uuidv7(-make_interval(days => 2, secs => number)), guest_id, listing_id, check_in, check_out, timezone,
        check_in_time, check_out_time, guests, price, cancellation, booking_id, difference_amount,
        now() - interval '2 days'
    FROM quotes, generate_series(1, :count) AS number WHERE quotes.id = :id RETURNING quotes.id
"""
"""Of one quote, as old as that."""


async def count(house: House) -> int:
    found: int = await house.value("SELECT count(*) FROM quotes")
    return found


@pytest.mark.parametrize(("days", "left"), [(0, 1), (2, 0)])
async def test_a_quote_that_nobody_booked_is_forgotten_after_a_day(
    house: House, listing: ListingSnapshot, days: int, left: int
) -> None:
    await house.quote(listing, uuid4())
    await house.execute(OLD, days=days)

    await quotes.forget_unused(house.service.database)

    assert await count(house) == left


async def test_a_quote_that_is_still_valid_is_not_forgotten_however_old_it_is(
    house: House, listing: ListingSnapshot
) -> None:
    await house.quote(listing, uuid4())
    await house.execute(OLD, days=2)
    await house.execute("UPDATE quotes SET valid_until = now() + interval '1 minute'")

    await quotes.forget_unused(house.service.database)

    assert await count(house) == 1


async def test_the_quote_of_a_booking_stays(house: House, listing: ListingSnapshot) -> None:
    guest = uuid4()
    quote = await house.quote(listing, guest)
    booking = succeeded(await house.ask_booking(quote["id"], guest))
    old = await house.value(COPIES, id=UUID(quote["id"]), count=1)
    await house.execute("UPDATE bookings SET quote_id = :id", id=old)

    await quotes.forget_unused(house.service.database)

    assert (await house.read(booking))["price"]["total"] == booking["total"]
    assert await house.value("SELECT count(*) FROM quotes WHERE id = :id", id=old) == 1


async def test_the_quote_of_a_change_stays_and_one_that_was_only_asked_for_goes(house: House) -> None:
    listing = await house.listing()
    booking, _ = await house.sell(listing)
    guest = UUID(booking["guest_id"])
    wish = nights_from(ARRIVAL + timedelta(days=10), 2)
    quote = await house.quote(listing, guest, **wish, booking_id=booking["id"])
    headers = {**signed_in(guest), "Idempotency-Key": "change"}
    path = f"/api/v1/bookings/{booking['id']}/changes"
    succeeded(await house.client.post(path, json={"quote_id": quote["id"]}, headers=headers))
    taken_up, only_asked = [await house.value(COPIES, id=UUID(quote["id"]), count=1) for _ in range(2)]
    await house.execute("UPDATE booking_changes SET quote_id = :id", id=taken_up)

    await quotes.forget_unused(house.service.database)

    remaining = await house.value("SELECT array_agg(id) FROM quotes")
    assert taken_up in remaining
    assert only_asked not in remaining


async def test_any_number_is_forgotten_in_one_round(house: House, listing: ListingSnapshot) -> None:
    quote = await house.quote(listing, uuid4())
    await house.value(COPIES, id=UUID(quote["id"]), count=2500)
    assert await count(house) == 2501

    await quotes.forget_unused(house.service.database)

    assert await count(house) == 1
