"""Nights: none is ever sold twice, whatever happens at the same time. `test_state_machine.py` tries any order."""

import asyncio
from collections import Counter
from datetime import date, timedelta
from uuid import uuid4

import pytest
from nexus_bookings.listings import service as listings
from nexus_contracts.bookings import NightsChanged
from nexus_contracts.listings import ListingUpdated
from nexus_kit.db import lock

from tests.bookings.given import ARRIVAL, House, code, eventually, nights_from

RACERS = 200


@pytest.mark.parametrize("units", [1, 3])
async def test_of_two_hundred_racers_exactly_as_many_win_as_there_are_units(house: House, units: int) -> None:
    listing, guest = await house.listing(units=units), uuid4()
    quotes = [await house.quote(listing, guest) for _ in range(RACERS)]

    answers = await asyncio.gather(*(house.ask_booking(quote["id"], guest) for quote in quotes))

    assert Counter(answer.status_code for answer in answers) == {201: units, 409: RACERS - units}
    assert {answer.json()["code"] for answer in answers if answer.status_code == 409} == {"dates_unavailable"}
    assert await house.value("SELECT count(*) FROM nights") == units * 2
    assert await house.calendar(listing) == [0, 0]


async def test_overlapping_stays_never_deadlock_and_never_take_half(house: House) -> None:
    listing, guest = await house.listing(), uuid4()
    stays = [nights_from(ARRIVAL + timedelta(days=first), 4) for first in (0, 1, 2, 3, 4, 5, 6, 7) for _ in range(5)]
    quotes = [await house.quote(listing, guest, **stay) for stay in stays]

    answers = await asyncio.gather(*(house.ask_booking(quote["id"], guest) for quote in quotes))

    won = [answer.json() for answer in answers if answer.status_code == 201]
    assert {answer.status_code for answer in answers} == {201, 409}
    assert await house.value("SELECT count(*) FROM nights") == 4 * len(won)
    taken = [date.fromisoformat(each["check_in"]) + timedelta(days=day) for each in won for day in range(4)]
    assert len(taken) == len(set(taken))


async def test_only_nights_that_sell_out_or_open_again_are_news(house: House) -> None:
    listing = await house.listing(units=2)
    first = await house.book(listing, uuid4(), **nights_from(ARRIVAL, 2))
    assert await house.facts(NightsChanged) == []

    await house.book(listing, uuid4(), **nights_from(ARRIVAL + timedelta(days=1), 2))
    await house.act(first, "cancel", first["guest_id"])

    shared = [ARRIVAL + timedelta(days=1)]
    news = [(each.sequence, each.data.sold_out, each.data.freed) for each in await house.facts(NightsChanged)]
    assert news == [(1, shared, []), (2, [], shared)]


async def test_a_host_who_reduces_the_units_sells_no_more_than_that(house: House) -> None:
    listing = await house.listing(units=3)
    booked = [await house.book(listing, uuid4()) for _ in range(3)]
    quote = await house.quote(listing, guest := uuid4(), **nights_from(ARRIVAL + timedelta(days=10), 1))
    await house.act(booked[0], "cancel", booked[0]["guest_id"])  # unit 1 is free, units 2 and 3 are not

    fewer = listing.model_copy(update={"version": 2, "units": 1})
    await house.deliver(ListingUpdated(listing_id=listing.id, listing=fewer))

    assert code(await house.ask_quote(listing.id)) == (409, "dates_unavailable")
    assert await house.calendar(fewer) == [0, 0]
    assert (await house.ask_booking(quote["id"], guest)).status_code == 201


async def test_a_stay_is_taken_by_the_units_that_the_listing_has_when_its_turn_comes(house: House) -> None:
    listing = await house.listing(units=2)
    first, second = uuid4(), uuid4()
    quotes = [(guest, await house.quote(listing, guest)) for guest in (first, second)]
    fewer = listing.model_copy(update={"version": 2, "units": 1})

    async with house.service.database.unit_of_work() as session:
        await lock(session, listing.id)
        booked = [asyncio.create_task(house.ask_booking(quote["id"], guest)) for guest, quote in quotes]
        await eventually(lambda: house.waits_for_a_lock(2))
        await listings.store(session, fewer)  # both have read the listing with two units by now

    assert Counter([(await answer).status_code for answer in booked]) == {201: 1, 409: 1}


async def test_nights_that_fill_up_or_open_because_the_units_change_are_news(house: House) -> None:
    listing = await house.listing(units=2)
    await house.book(listing, uuid4())
    fewer = listing.model_copy(update={"version": 2, "units": 1})
    more = listing.model_copy(update={"version": 3, "units": 3})

    await house.deliver(ListingUpdated(listing_id=listing.id, listing=fewer))
    await house.deliver(ListingUpdated(listing_id=listing.id, listing=more))
    await house.deliver(ListingUpdated(listing_id=listing.id, listing=fewer))

    both = [ARRIVAL, ARRIVAL + timedelta(days=1)]
    news = [(each.sequence, each.data.sold_out, each.data.freed) for each in await house.facts(NightsChanged)]
    assert news == [(1, both, []), (2, [], both)]


async def test_the_calendar_shows_at_most_a_year(house: House) -> None:
    listing = await house.listing()
    url = f"/api/v1/availability/{listing.id}"

    year = await house.client.get(url, params={"from": "2027-01-01", "to": "2028-01-02"})
    longer = await house.client.get(url, params={"from": "2027-01-01", "to": "2028-01-03"})
    backwards = await house.client.get(url, params={"from": "2027-01-02", "to": "2027-01-01"})
    incomplete = await house.client.get(url, params={"from": "2027-01-02"})

    assert len(year.json()["items"]) == 366
    assert code(longer) == code(backwards) == code(incomplete) == (422, "validation_failed")
