"""Nights: none is ever sold twice, whatever happens at the same time and in whatever order."""

import asyncio
from collections import Counter
from datetime import date, timedelta
from uuid import UUID, uuid4

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, invariant, rule, run_state_machine_as_test
from nexus_bookings.bookings import service as bookings
from nexus_bookings.bookings.models import Booking
from nexus_bookings.cancellation import terms
from nexus_bookings.listings import service as listings
from nexus_bookings.nights.service import DatesUnavailable, close
from nexus_bookings.pricing import Percentages, price
from nexus_bookings.quotes.models import Quote
from nexus_bookings.stays import Stay
from nexus_contracts.bookings import NightsChanged
from nexus_contracts.listings import ListingUpdated
from nexus_kit.db import Database, lock
from nexus_kit.testing import Service
from sqlalchemy import text

from tests.bookings.given import ARRIVAL, House, code, eventually, nights_from, snapshot

RACERS = 200
HOLD = timedelta(minutes=15)


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


# ---------------------------------------------------------------------------------------------- against a model


class NightsMachine(RuleBasedStateMachine):
    """Any order of bookings, endings, blocks and changes of units, beside a model: the holders of each night.

    Bookings are known by their ids; for closed units it is enough to know how many there are.
    """

    url: str
    held = Bundle("held")

    def __init__(self) -> None:
        super().__init__()
        self.loop = asyncio.new_event_loop()
        self.database = Database(self.url, pool_size=1)
        self.listing = snapshot()
        self.holders: dict[date, set[UUID]] = {}
        self.closed: Counter[date] = Counter()
        self.loop.run_until_complete(self._change_units(1))

    def teardown(self) -> None:
        self.loop.run_until_complete(self.database.engine.dispose())
        self.loop.close()

    @rule(target=held, first=st.integers(0, 6), length=st.integers(1, 4))
    def book(self, first: int, length: int) -> UUID | None:
        check_in = ARRIVAL + timedelta(days=first)
        stay = Stay.at(self.listing, check_in, check_in + timedelta(days=length))
        fits = all(self._taken(night) < self.listing.units for night in stay.nights)

        booking_id = self.loop.run_until_complete(self._book(stay))

        assert (booking_id is not None) == fits
        if booking_id is not None:
            for night in stay.nights:
                self.holders.setdefault(night, set()).add(booking_id)
        return booking_id

    @rule(booking_id=consumes(held), by=st.sampled_from(("time", "guest", "host")))
    def end(self, booking_id: UUID | None, by: str) -> None:
        if booking_id is None:
            return
        self.loop.run_until_complete(self._end(booking_id, by))
        for night, holders in self.holders.items():
            if booking_id in holders:
                holders.discard(booking_id)
                self.closed[night] += by == "host"

    @rule(first=st.integers(0, 6), length=st.integers(1, 4), units=st.none() | st.integers(0, 3))
    def close(self, first: int, length: int, units: int | None) -> None:
        nights = [ARRIVAL + timedelta(days=first + day) for day in range(length)]
        self.loop.run_until_complete(self._close(nights, units))
        for night in nights:
            free = max(self.listing.units - len(self.holders.get(night, ())), 0)
            self.closed[night] = free if units is None else min(units, free)

    @rule(units=st.integers(1, 3))
    def change_units(self, units: int) -> None:
        self.loop.run_until_complete(self._change_units(units))

    @invariant()
    def the_rows_are_what_the_model_says(self) -> None:
        rows = self.loop.run_until_complete(self._rows())
        found: dict[date, set[UUID]] = {}
        for night, _, booking_id in rows:
            if booking_id is not None:
                found.setdefault(night, set()).add(booking_id)
        assert found == {night: holders for night, holders in self.holders.items() if holders}
        assert Counter(night for night, _, booking_id in rows if booking_id is None) == +self.closed
        assert len(rows) == sum(map(self._taken, self.holders | self.closed)), "one unit a night for each"

    def _taken(self, night: date) -> int:
        return len(self.holders.get(night, ())) + self.closed[night]

    async def _book(self, stay: Stay) -> UUID | None:
        try:
            async with self.database.unit_of_work() as session:
                quote = Quote(
                    guest_id=uuid4(),
                    listing_id=self.listing.id,
                    check_in=stay.check_in,
                    check_out=stay.check_out,
                    timezone=stay.timezone,
                    check_in_time=stay.check_in_time,
                    check_out_time=stay.check_out_time,
                    guests=1,
                    price=price(self.listing, stay, 1, Percentages(service_fee=10, tax=15, host_fee=3)),
                    cancellation=terms(self.listing, stay),
                )
                session.add(quote)
                await session.flush()
                return (await bookings.book(session, quote.id, quote.guest_id, hold=HOLD)).id
        except DatesUnavailable:
            return None

    async def _end(self, booking_id: UUID, by: str) -> None:
        async with self.database.unit_of_work() as session:
            booking: Booking = await bookings.lock(session, booking_id)
            if by == "time":
                await bookings.expire(session, booking)
            else:
                await bookings.cancel(session, booking_id, booking.guest_id if by == "guest" else booking.host_id)

    async def _close(self, nights: list[date], units: int | None) -> None:
        async with self.database.unit_of_work() as session:
            await close(session, self.listing, nights[0], nights[-1] + timedelta(days=1), units)

    async def _change_units(self, units: int) -> None:
        self.listing = self.listing.model_copy(update={"units": units, "version": self.listing.version + 1})
        async with self.database.unit_of_work() as session:
            await listings.store(session, self.listing)

    async def _rows(self) -> list[tuple[date, int, UUID | None]]:
        async with self.database.unit_of_work() as session:
            query = text("SELECT night, unit, booking_id FROM nights WHERE listing_id = :id")
            return [tuple(row) for row in await session.execute(query, {"id": self.listing.id})]


def test_any_order_of_moves_leaves_exactly_the_nights_that_are_booked_or_closed(service: Service) -> None:
    url = service.database.engine.url.render_as_string(hide_password=False)
    machine = type("Machine", (NightsMachine,), {"url": url})

    run_state_machine_as_test(
        machine,
        settings=settings(
            max_examples=25, stateful_step_count=20, deadline=None, suppress_health_check=list(HealthCheck)
        ),
    )
