"""Blocks: the nights that a host closes and opens, beside those that are booked."""

import asyncio
from datetime import UTC, date, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest
from nexus_bookings import timers
from nexus_bookings.bookings import service as bookings
from nexus_contracts.bookings import NightsChanged
from nexus_contracts.listings import ListingSnapshot, ListingStatus
from nexus_contracts.rates import RateRule, Rates
from nexus_kit.testing import signed_in

from tests.bookings.given import ARRIVAL, House, Json, birr, code, eventually, nights_from, snapshot, succeeded

NEXT = ARRIVAL + timedelta(days=1)


def period(first: date = ARRIVAL, days: int = 2) -> Json:
    return {"from": first.isoformat(), "to": (first + timedelta(days=days)).isoformat()}


async def close(house: House, listing: ListingSnapshot, host: UUID | None = None, **wish: Any) -> httpx.Response:
    """PUT, by default of all units of two nights."""
    return await house.client.put(
        f"/api/v1/availability/{listing.id}/blocks",
        json={**period(), **wish},
        headers=signed_in(host or listing.host_id),
    )


async def reopen(house: House, listing: ListingSnapshot, host: UUID | None = None, **wish: Any) -> httpx.Response:
    return await house.client.delete(
        f"/api/v1/availability/{listing.id}/blocks",
        params={**period(), **wish},
        headers=signed_in(host or listing.host_id),
    )


async def blocks(house: House, listing: ListingSnapshot, days: int = 2) -> list[tuple[int, int, int]]:
    """Free, booked and closed units, night by night."""
    answer = await house.client.get(
        f"/api/v1/availability/{listing.id}/blocks", params=period(days=days), headers=signed_in(listing.host_id)
    )
    return counts(answer)


def counts(answer: httpx.Response) -> list[tuple[int, int, int]]:
    items = succeeded(answer)["items"]
    return [(night["free_units"], night["booked_units"], night["closed_units"]) for night in items]


async def news(house: House) -> list[tuple[list[date], list[date]]]:
    """Which nights sold out and which were freed, one fact after the other."""
    facts = await house.facts(NightsChanged)
    assert [each.sequence for each in facts] == list(range(1, len(facts) + 1))
    return [(each.data.sold_out, each.data.freed) for each in facts]


async def test_closed_nights_are_not_offered_until_they_are_opened(house: House) -> None:
    listing = await house.listing()

    closed = await close(house, listing)
    refused = await house.ask_quote(listing.id)
    opened = await reopen(house, listing)

    assert counts(closed) == [(0, 0, 1), (0, 0, 1)]
    assert [night["closed_by"] for night in closed.json()["items"]] == [["host"], ["host"]]
    assert code(refused) == (409, "dates_unavailable")
    assert opened.status_code == 204
    assert await house.calendar(listing) == [1, 1]
    assert await news(house) == [([ARRIVAL, NEXT], []), ([], [ARRIVAL, NEXT])]
    assert (await house.book(listing, uuid4()))["status"] == "pending_payment"


async def test_closing_is_a_statement_not_an_addition(house: House) -> None:
    listing = await house.listing(units=5)

    answers = [await close(house, listing, units=units) for units in (2, 2, 4, 1)]

    assert [counts(answer)[0] for answer in answers] == [(3, 0, 2), (3, 0, 2), (1, 0, 4), (4, 0, 1)]
    assert await news(house) == []


async def test_saying_it_again_is_no_news(house: House) -> None:
    listing = await house.listing()

    await close(house, listing)
    await close(house, listing)

    assert await news(house) == [([ARRIVAL, NEXT], [])]


async def test_what_is_booked_stays_booked_and_only_the_rest_is_closed(house: House) -> None:
    listing = await house.listing(units=3)
    booking = await house.book(listing, uuid4(), **nights_from(ARRIVAL, 1))

    closed = await close(house, listing)

    assert counts(closed) == [(0, 1, 2), (0, 0, 3)]
    assert (await house.read(booking))["status"] == "pending_payment"
    await house.act(booking, "cancel", booking["guest_id"])
    assert await blocks(house, listing) == [(1, 0, 2), (0, 0, 3)]
    await reopen(house, listing)
    assert await blocks(house, listing) == [(3, 0, 0), (3, 0, 0)]


async def test_some_units_closed_leave_the_others_to_be_booked(house: House) -> None:
    listing = await house.listing(units=2)
    quote = await house.quote(listing, guest := uuid4())
    await close(house, listing, units=1)

    await house.book(listing, uuid4())
    second = await house.ask_booking(quote["id"], guest)

    assert code(second) == (409, "dates_unavailable")
    assert await blocks(house, listing) == [(0, 1, 1), (0, 1, 1)]


async def test_only_the_named_nights_are_closed_and_opened(house: House) -> None:
    listing = await house.listing()

    await close(house, listing, **period(days=4))
    await reopen(house, listing, **period(NEXT, 2))

    assert await house.calendar(listing, days=5) == [0, 1, 1, 0, 1]


async def test_a_host_who_closes_waits_for_a_guest_who_is_booking(house: House) -> None:
    listing = await house.listing()
    quote = await house.quote(listing, guest := uuid4())

    async with house.service.database.unit_of_work() as session:
        await bookings.book(session, UUID(quote["id"]), guest, hold=timedelta(minutes=15))
        closing = asyncio.create_task(close(house, listing))
        await eventually(lambda: house.waits_for_a_lock(1))

    assert counts(await closing) == [(0, 1, 0), (0, 1, 0)]


async def test_racing_guests_and_a_host_who_closes_never_share_a_unit(house: House) -> None:
    listing = await house.listing(units=8)
    guest = uuid4()
    quotes = [await house.quote(listing, guest) for _ in range(12)]

    booked, *_ = await asyncio.gather(
        asyncio.gather(*(house.ask_booking(quote["id"], guest) for quote in quotes)),
        close(house, listing, units=5),
        close(house, listing),
        reopen(house, listing),
        close(house, listing, units=3),
    )

    won = sum(answer.status_code == 201 for answer in booked)
    for free, sold, closed in await blocks(house, listing):
        assert (sold, free + sold + closed) == (won, 8)
    assert await house.value("SELECT count(*) FROM nights WHERE booking_id IS NOT NULL") == 2 * won


# ------------------------------------------------------------------------------------------- cancellation by the host


async def test_a_host_who_cancels_keeps_the_nights_closed_until_they_open_them(house: House) -> None:
    listing = await house.listing()
    booking = await house.book(listing, uuid4())

    await house.act(booking, "cancel", listing.host_id)

    assert code(await house.ask_quote(listing.id)) == (409, "dates_unavailable")
    answer = await house.client.get(
        f"/api/v1/availability/{listing.id}/blocks", params=period(), headers=signed_in(listing.host_id)
    )
    assert [night["closed_by"] for night in answer.json()["items"]] == [["cancellation"], ["cancellation"]]
    assert await news(house) == [([ARRIVAL, NEXT], [])]
    await reopen(house, listing)
    assert await house.calendar(listing) == [1, 1]


async def test_declining_a_request_keeps_nothing_closed(house: House) -> None:
    listing = await house.listing(instant_book=False)
    booking = await house.book(listing, uuid4())

    await house.act(booking, "decline", listing.host_id)

    assert await blocks(house, listing) == [(1, 0, 0), (1, 0, 0)]


# ---------------------------------------------------------------------------------------------- who and what


async def test_a_foreign_listing_does_not_exist(house: House) -> None:
    listing, stranger = await house.listing(), uuid4()
    url = f"/api/v1/availability/{listing.id}/blocks"

    answers = [
        await close(house, listing, stranger),
        await reopen(house, listing, stranger),
        await house.client.get(url, params=period(), headers=signed_in(stranger)),
        await close(house, snapshot(), stranger),
    ]

    assert [code(answer) for answer in answers] == [(404, "not_found")] * 4
    assert (await house.client.put(url, json=period())).status_code == 401
    assert await house.calendar(listing) == [1, 1]


async def test_a_host_closes_nights_of_a_listing_that_is_not_offered_yet(house: House) -> None:
    draft = snapshot(status=ListingStatus.DRAFT)
    house.neighbours.listings[draft.id] = draft

    assert counts(await close(house, draft)) == [(0, 0, 1), (0, 0, 1)]


@pytest.mark.parametrize(
    ("wish", "reason"),
    [
        ({"units": 0}, "validation_failed"),
        ({"units": "1"}, "validation_failed"),
        ({"to": ARRIVAL.isoformat()}, "validation_failed"),
        (period(days=367), "validation_failed"),
        ({"from": 1796774400}, "validation_failed"),
        ({"reason": "holiday"}, "validation_failed"),
        (period(date(9999, 12, 30), 1), "booking_window"),
        (period(datetime.now(UTC).date() + timedelta(days=1096)), "booking_window"),
        (period(date(2001, 1, 1), 5), "nights_over"),
        (period(datetime.now(UTC).date() - timedelta(days=3), 2), "nights_over"),
    ],
)
async def test_blocks_that_make_no_sense_are_refused(house: House, wish: dict[str, Any], reason: str) -> None:
    listing = await house.listing()

    assert code(await close(house, listing, **wish)) == (422, reason)
    assert await house.value("SELECT count(*) FROM nights") == 0


async def test_a_period_that_makes_no_sense_is_blamed_on_its_end(house: House) -> None:
    listing = await house.listing()
    backwards: Json = {"to": (ARRIVAL - timedelta(days=1)).isoformat()}

    closed = await close(house, listing, **backwards)
    opened = await reopen(house, listing, **backwards)

    assert [each["pointer"] for each in closed.json()["errors"]] == ["/to"]
    assert [each["pointer"] for each in opened.json()["errors"]] == ["to"]


async def test_nights_that_are_over_are_left_as_they_are(house: House) -> None:
    listing = await house.listing(timezone="UTC")
    today = datetime.now(UTC).date()

    closed = await close(house, listing, **period(today - timedelta(days=3), 5))
    over = await close(house, listing, **period(today - timedelta(days=3), 3))
    opened = await reopen(house, listing, **period(today - timedelta(days=3), 3))

    assert [night[2] for night in counts(closed)] == [0, 0, 0, 1, 1]
    assert code(over) == code(opened) == (422, "nights_over")


async def test_nights_that_were_closed_are_forgotten_when_they_are_over(house: House) -> None:
    listing = await house.listing()
    await close(house, listing)
    booking = await house.book(listing, uuid4(), **nights_from(ARRIVAL + timedelta(days=5), 1))
    await house.execute("UPDATE nights SET night = night - 40")

    await timers.forget_closed_nights(house.service.app.state.runtime)

    assert await house.value("SELECT array_agg(booking_id) FROM nights") == [UUID(booking["id"])]


# ---------------------------------------------------------------------------------------------- the public calendar


async def test_the_calendar_tells_prices_and_rules_day_by_day(house: House) -> None:
    feast = RateRule(first_night=NEXT, last_night=NEXT, price=birr(900_000), min_nights=3, closed_to_departure=True)
    listing = await house.listing(units=2, min_nights=2, rates=Rates(rules=(feast,)))
    await close(house, listing, **period(days=1), units=1)

    answer = await house.client.get(f"/api/v1/availability/{listing.id}", params=period())

    usual = {"max_nights": 30, "closed_to_arrival": False}
    assert answer.json()["items"] == [
        {
            "night": ARRIVAL.isoformat(),
            "free_units": 1,
            "price": {"amount": 450_000, "currency": "ETB"},
            "min_nights": 2,
            "closed_to_departure": False,
            **usual,
        },
        {
            "night": NEXT.isoformat(),
            "free_units": 2,
            "price": {"amount": 900_000, "currency": "ETB"},
            "min_nights": 3,
            "closed_to_departure": True,
            **usual,
        },
    ]
