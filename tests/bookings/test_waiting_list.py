"""The waiting list: freed nights go to the first in line, whoever else is there at the same moment."""

import asyncio
from datetime import UTC, date, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest
from nexus_bookings import timers
from nexus_bookings.waiting_list import service as waiting_list
from nexus_contracts.changes import WaitingListOffered
from nexus_contracts.listings import ListingSnapshot, ListingUpdated
from nexus_kit.db import lock
from nexus_kit.testing import signed_in

from tests.bookings.given import ARRIVAL, House, Json, code, eventually, nights_from, succeeded

pytestmark = pytest.mark.usefixtures("exact_nights")


async def ask(house: House, listing: ListingSnapshot, guest: UUID, days: int = 0, **wish: Any) -> httpx.Response:
    dates = nights_from(ARRIVAL + timedelta(days=days), wish.pop("nights", 2))
    body = {"listing_id": str(listing.id), **dates, "guests": 2, **wish}
    return await house.client.post("/api/v1/waiting-list", json=body, headers=signed_in(guest))


async def wait(house: House, listing: ListingSnapshot, guest: UUID | None = None, **wish: Any) -> tuple[UUID, Json]:
    guest = guest or uuid4()
    return guest, succeeded(await ask(house, listing, guest, **wish))


async def entries(house: House, guest: UUID) -> list[Json]:
    items: list[Json] = succeeded(await house.client.get("/api/v1/waiting-list", headers=signed_in(guest)))["items"]
    return items


async def is_offered(house: House, guest: UUID) -> Json:
    """The booking that the guest was offered."""

    async def look() -> Json:
        entry = (await entries(house, guest))[0]
        assert entry["status"] == "offered"
        answer = await house.client.get(f"/api/v1/bookings/{entry['booking_id']}", headers=signed_in(guest))
        return succeeded(answer)

    return await eventually(look)


async def cancel(house: House, booking: Json) -> None:
    succeeded(await house.act(booking, "cancel", booking["guest_id"]))


async def nobody_is_due(house: House) -> None:
    async def look() -> None:
        assert await house.value("SELECT count(*) FROM waiting_entries WHERE due") == 0

    await eventually(look)


# ---------------------------------------------------------------------------------------------- the offer


async def test_freed_nights_are_held_for_two_hours_for_the_first_in_line(house: House) -> None:
    listing = await house.listing()
    booking = await house.book(listing, uuid4())
    first, entry = await wait(house, listing)
    second, behind = await wait(house, listing)

    await cancel(house, booking)
    offer = await is_offered(house, first)

    assert (entry["place"], behind["place"]) == (1, 2)
    assert (offer["status"], offer["guest_id"]) == ("pending_payment", str(first))
    held_for = datetime.fromisoformat(offer["expires_at"]) - datetime.now(UTC)
    assert timedelta(minutes=118) < held_for <= timedelta(hours=2)
    assert [each["place"] for each in await entries(house, second)] == [1]
    [fact] = await house.facts(WaitingListOffered)
    assert (fact.data.guest_id, fact.data.booking_id, fact.data.awaits_host) == (first, UUID(offer["id"]), False)
    assert fact.data.expires_at == datetime.fromisoformat(offer["expires_at"]).replace(
        microsecond=fact.data.expires_at.microsecond
    )


async def test_an_offer_that_is_not_taken_goes_to_the_next(house: House) -> None:
    listing = await house.listing()
    booking = await house.book(listing, uuid4())
    first, _ = await wait(house, listing)
    second, _ = await wait(house, listing)
    await cancel(house, booking)

    await house.overdue(await is_offered(house, first))
    offer = await is_offered(house, second)
    await house.press(await house.pay(offer))

    await house.becomes(offer, "confirmed")
    assert [each["status"] for each in await entries(house, first)] == ["offered"]


async def test_at_a_place_that_asks_its_host_the_offer_is_a_request(house: House) -> None:
    listing = await house.listing(instant_book=False)
    booking = await house.book(listing, uuid4())
    guest, _ = await wait(house, listing)

    succeeded(await house.act(booking, "decline", listing.host_id))

    assert (await is_offered(house, guest))["status"] == "requested"
    [fact] = await house.facts(WaitingListOffered)
    assert fact.data.awaits_host


async def test_only_a_whole_stay_is_offered_and_whoever_fits_does_not_wait_for_whoever_does_not(house: House) -> None:
    listing = await house.listing()
    early = await house.book(listing, uuid4(), **nights_from(ARRIVAL, 2))
    late = await house.book(listing, uuid4(), **nights_from(ARRIVAL + timedelta(days=2), 2))
    long, _ = await wait(house, listing, nights=4)
    short, _ = await wait(house, listing, nights=2)

    await cancel(house, early)
    await is_offered(house, short)
    await cancel(house, late)
    await nobody_is_due(house)

    assert [(each["status"], each["place"]) for each in await entries(house, long)] == [("waiting", 1)]


@pytest.mark.parametrize("how", ["the host opens nights", "the host adds a unit", "a change frees nights"])
async def test_however_nights_become_free_they_are_offered(house: House, how: str) -> None:
    listing = await house.listing()
    url = f"/api/v1/availability/{listing.id}/blocks"
    period = {"from": ARRIVAL.isoformat(), "to": (ARRIVAL + timedelta(days=2)).isoformat()}
    host = signed_in(listing.host_id)
    if how == "the host opens nights":
        await house.client.put(url, json=period, headers=host)
        guest, _ = await wait(house, listing)
        assert (await house.client.delete(url, params=period, headers=host)).status_code < 300
    elif how == "the host adds a unit":
        await house.book(listing, uuid4())
        guest, _ = await wait(house, listing)
        more = listing.model_copy(update={"version": 2, "units": 2})
        await house.deliver(ListingUpdated(listing_id=listing.id, listing=more))
    else:
        booking, _ = await house.sell(listing)
        guest, _ = await wait(house, listing)
        moved = nights_from(ARRIVAL + timedelta(days=10), 2)
        quote = await house.quote(listing, UUID(booking["guest_id"]), **moved, booking_id=booking["id"])
        headers = {**signed_in(UUID(booking["guest_id"])), "Idempotency-Key": "move"}
        path = f"/api/v1/bookings/{booking['id']}/changes"
        succeeded(await house.client.post(path, json={"quote_id": quote["id"]}, headers=headers))

    assert (await is_offered(house, guest))["check_in"] == ARRIVAL.isoformat()


# ---------------------------------------------------------------------------------------------- races


@pytest.mark.parametrize("units", [1, 2])
async def test_twenty_strangers_who_book_while_nights_become_free_do_not_get_them(house: House, units: int) -> None:
    listing = await house.listing(units=units)
    free = [(guest, await house.quote(listing, guest)) for guest in (uuid4() for _ in range(20))]
    booked = [await house.book(listing, uuid4()) for _ in range(units)]
    waiters = [(await wait(house, listing))[0] for _ in range(units)]

    freed = (cancel(house, booking) for booking in booked)
    tries = (house.ask_booking(quote["id"], guest) for guest, quote in free)
    answers = (await asyncio.gather(*freed, *tries))[units:]

    for waiter in waiters:
        assert (await is_offered(house, waiter))["status"] == "pending_payment"
    assert {code(each) for each in answers if each is not None} == {(409, "dates_unavailable")}


async def test_before_the_offer_is_made_only_what_the_line_leaves_is_for_others(house: House) -> None:
    listing = await house.listing(units=3)
    strangers = [(guest, await house.quote(listing, guest)) for guest in (uuid4() for _ in range(3))]
    first, _ = await wait_at_full(house, listing)
    await house.execute("DELETE FROM nights")

    async with house.service.database.unit_of_work() as session:
        await lock(session, listing.id)
        tries = [asyncio.create_task(house.ask_booking(quote["id"], guest)) for guest, quote in strangers]
        await eventually(lambda: house.waits_for_a_lock(3))
        await house.execute("UPDATE waiting_entries SET due = true")  # the offer queues behind all of them
    answers = [await each for each in tries]

    assert sorted(each.status_code for each in answers) == [201, 201, 409]
    await is_offered(house, first)


async def wait_at_full(house: House, listing: ListingSnapshot) -> tuple[UUID, Json]:
    """Every unit of every night is closed, and somebody waits."""
    await house.execute(
        "INSERT INTO nights (listing_id, night, unit, closed_by) "
        "SELECT :listing, cast(:first AS date) + n, unit, 'host' "
        "FROM generate_series(0, 1) AS n, generate_series(1, 3) AS unit",
        listing=listing.id,
        first=ARRIVAL,
    )
    return await wait(house, listing)


async def test_a_guest_in_line_who_books_by_hand_is_behind_those_who_came_earlier(house: House) -> None:
    listing = await house.listing()
    impatient = uuid4()
    quote = await house.quote(listing, impatient)
    booking = await house.book(listing, uuid4())
    first, _ = await wait(house, listing)
    await wait(house, listing, impatient)

    _, answer = await asyncio.gather(cancel(house, booking), house.ask_booking(quote["id"], impatient))

    assert code(answer) == (409, "dates_unavailable")
    await is_offered(house, first)


async def test_offers_from_two_processes_are_made_once(house: House) -> None:
    listing = await house.listing(units=3)
    booked = [await house.book(listing, uuid4()) for _ in range(3)]
    waiters = [(await wait(house, listing))[0] for _ in range(5)]
    settings = house.service.app.state.neighbours.settings
    terms = waiting_list.OfferTerms(timedelta(hours=2), settings.percentages)
    runtime = house.service.app.state.runtime

    await asyncio.gather(
        *(cancel(house, booking) for booking in booked), *(waiting_list.offer_freed(runtime, terms) for _ in range(4))
    )
    await nobody_is_due(house)

    statuses = [(await entries(house, waiter))[0]["status"] for waiter in waiters]
    assert statuses == ["offered"] * 3 + ["waiting"] * 2


# ---------------------------------------------------------------------------------------------- in line


async def test_one_waits_only_for_what_is_sold_out_and_could_be_booked(house: House) -> None:
    listing = await house.listing()

    free = await ask(house, listing, uuid4())
    await house.book(listing, uuid4())

    assert code(free) == (409, "not_sold_out")
    assert code(await ask(house, listing, uuid4(), guests=5)) == (422, "too_many_guests")
    assert code(await ask(house, listing, listing.host_id)) == (403, "own_listing")
    assert code(await ask(house, listing, uuid4(), nights=31)) == (422, "maximum_stay")
    succeeded(await ask(house, listing, uuid4(), days=1))


async def test_a_guest_waits_once_for_a_night_and_for_ten_stays_at_most(house: House) -> None:
    listing, guest = await house.listing(), uuid4()
    for number in range(11):
        await house.book(listing, uuid4(), **nights_from(ARRIVAL + timedelta(days=2 * number), 2))

    twice = await asyncio.gather(*(ask(house, listing, guest) for _ in range(3)))
    overlapping = await ask(house, listing, guest, days=1)
    more = [await ask(house, listing, guest, days=2 * number) for number in range(1, 11)]

    assert sorted(each.status_code for each in twice) == [201, 409, 409]
    assert code(overlapping) == (409, "already_waiting")
    assert [each.status_code for each in more] == [201] * 9 + [409]
    assert code(more[-1]) == (409, "waiting_list_full")


async def test_whoever_leaves_is_not_offered_anything(house: House) -> None:
    listing = await house.listing()
    booking = await house.book(listing, uuid4())
    gone, entry = await wait(house, listing)
    stays, _ = await wait(house, listing)
    url = f"/api/v1/waiting-list/{entry['id']}"

    stranger = await house.client.delete(url, headers=signed_in(uuid4()))
    left = await house.client.delete(url, headers=signed_in(gone))
    await cancel(house, booking)

    assert (stranger.status_code, left.status_code) == (404, 204)
    await is_offered(house, stays)
    assert await entries(house, gone) == []


async def test_an_entry_that_cannot_be_booked_any_more_ends_and_keeps_nobody_from_the_nights(house: House) -> None:
    listing = await house.listing()
    booking = await house.book(listing, uuid4())
    guest, _ = await wait(house, listing)
    stricter = listing.model_copy(update={"version": 2, "min_nights": 3})
    await house.deliver(ListingUpdated(listing_id=listing.id, listing=stricter))

    await cancel(house, booking)
    await nobody_is_due(house)

    assert [each["status"] for each in await entries(house, guest)] == ["ended"]
    await house.book(listing, uuid4(), **nights_from(ARRIVAL, 3))


async def test_whoever_has_booked_meanwhile_waits_no_more(house: House) -> None:
    listing, guest = await house.listing(units=2), uuid4()
    booked = [await house.book(listing, uuid4()), await house.book(listing, guest)]
    await wait(house, listing, guest)

    await cancel(house, booked[0])
    await nobody_is_due(house)

    assert [each["status"] for each in await entries(house, guest)] == ["ended"]
    assert await house.calendar(listing) == [1, 1]


async def test_nobody_waits_for_the_past(house: House) -> None:
    listing = await house.listing()
    await house.book(listing, uuid4())
    guest, _ = await wait(house, listing)

    long_ago = date(2020, 1, 1)
    await house.execute("UPDATE waiting_entries SET check_in = :first", first=long_ago)
    await timers.end_waiting_for_the_past(house.service.app.state.runtime)

    assert [each["status"] for each in await entries(house, guest)] == ["ended"]


async def test_a_line_that_cannot_be_looked_at_does_not_keep_others_from_their_nights(house: House) -> None:
    listings = sorted([await house.listing() for _ in range(3)], key=lambda listing: listing.id)
    booked = [await house.book(listing, uuid4()) for listing in listings]
    waiters = [(await wait(house, listing))[0] for listing in listings]
    broken = "UPDATE listing_copies SET snapshot = jsonb_set(snapshot, '{timezone}', :zone) WHERE listing_id = :id"
    await house.execute(broken, zone='"Nowhere"', id=listings[1].id)

    await asyncio.gather(*(cancel(house, booking) for booking in booked))

    for waiter in (waiters[0], waiters[2]):
        await is_offered(house, waiter)
    await house.execute(broken, zone='"Africa/Addis_Ababa"', id=listings[1].id)
    await is_offered(house, waiters[1])


# ---------------------------------------------------------------------------------------------- gone


async def test_who_closes_their_account_waits_for_nothing_any_more(house: House) -> None:
    listing = await house.listing()
    booking = await house.book(listing, uuid4())
    gone, _ = await wait(house, listing)
    stays, _ = await wait(house, listing)

    await house.close_account(gone)
    await cancel(house, booking)

    assert (await is_offered(house, stays))["status"] == "pending_payment"
    assert [each["status"] for each in await entries(house, gone)] == ["ended"]


@pytest.mark.parametrize("instant_book", [True, False])
async def test_what_is_held_for_somebody_who_closes_their_account_goes_to_the_next(
    house: House, instant_book: bool
) -> None:
    listing = await house.listing(instant_book=instant_book)
    booking = await house.book(listing, uuid4())
    gone, _ = await wait(house, listing)
    stays, _ = await wait(house, listing)
    await cancel(house, booking)
    offer = await is_offered(house, gone)

    await house.close_account(gone)

    await is_offered(house, stays)
    assert (await house.read(offer))["status"] == "cancelled"


async def test_what_they_booked_themselves_is_not_touched(house: House) -> None:
    listing, guest = await house.listing(), uuid4()
    booking = await house.book(listing, guest)

    await house.close_account(guest)

    assert (await house.read(booking))["status"] == "pending_payment"


async def test_an_offer_that_is_made_while_the_account_is_closed_does_not_stay(house: House) -> None:
    listing = await house.listing(units=5)
    booked = [await house.book(listing, uuid4()) for _ in range(5)]
    gone = [(await wait(house, listing))[0] for _ in range(5)]
    stays = [(await wait(house, listing))[0] for _ in range(5)]

    async def close(guest: UUID) -> None:
        await eventually(lambda: house.close_account(guest))  # the worker, too, delivers again what was refused

    await asyncio.gather(*(cancel(house, booking) for booking in booked), *(close(guest) for guest in gone))

    for guest in stays:
        assert (await is_offered(house, guest))["status"] == "pending_payment"
