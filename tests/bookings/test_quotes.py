"""Quotes: what a stay costs, and every reason not to quote it."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest
from nexus_bookings.pricing import percent_of
from nexus_bookings.stays import Stay
from nexus_contracts.listings import ListingStatus, ListingUnpublished, ListingUpdated
from nexus_kit.testing import signed_in

from tests.bookings.given import ARRIVAL, House, birr, code, nights_from

WEST, EAST = "Pacific/Pago_Pago", "Pacific/Kiritimati"
"""25 hours apart: it is never the same date in both."""


async def test_a_quote_prices_every_night_and_adds_the_fees(house: House) -> None:
    listing = await house.listing()

    quote = await house.quote(listing, uuid4(), **nights_from(ARRIVAL, 3))

    assert [line["night"] for line in quote["nights"]] == [
        (ARRIVAL + timedelta(days=day)).isoformat() for day in range(3)
    ]
    assert {line["price"]["amount"] for line in quote["nights"]} == {450_000}
    assert quote["accommodation"]["amount"] == 1_350_000
    assert quote["cleaning_fee"]["amount"] == 50_000
    assert quote["service_fee"]["amount"] == 140_000
    assert quote["total"] == {"amount": 1_540_000, "currency": "ETB"}


async def test_a_quote_is_valid_for_half_an_hour_and_states_its_terms(house: House) -> None:
    listing = await house.listing()

    quote = await house.quote(listing, uuid4())

    valid_for = datetime.fromisoformat(quote["valid_until"]) - datetime.now(UTC)
    assert timedelta(minutes=29) < valid_for <= timedelta(minutes=30)
    check_in = Stay(ARRIVAL, ARRIVAL + timedelta(days=1), listing.timezone).begins_at
    assert quote["cancellation"] == {
        "policy": "flexible",
        "tiers": [{"until": check_in.strftime("%Y-%m-%dT%H:%M:%S.000Z"), "refund_percent": 100}],
    }


async def test_the_price_of_a_quote_is_charged_whatever_the_host_changes(house: House) -> None:
    listing, guest = await house.listing(), uuid4()
    quote = await house.quote(listing, guest)

    dearer = listing.model_copy(update={"version": 2, "price": birr(900_000)})
    await house.deliver(ListingUpdated(listing_id=listing.id, listing=dearer))
    booking = (await house.ask_booking(quote["id"], guest)).json()

    assert booking["total"] == quote["total"]


@pytest.mark.parametrize(
    ("change", "wish", "status", "reason"),
    [
        ({"min_nights": 3}, {}, 422, "minimum_stay"),
        ({"max_nights": 3}, nights_from(ARRIVAL, 4), 422, "maximum_stay"),
        ({"max_nights": 1000}, nights_from(ARRIVAL, 366), 422, "maximum_stay"),
        ({}, {"guests": 5}, 422, "too_many_guests"),
        ({}, nights_from(ARRIVAL - timedelta(days=40), 2), 422, "check_in_past"),
        ({}, nights_from(ARRIVAL + timedelta(days=530), 2), 422, "too_far_ahead"),
        ({}, {"check_in": "9999-12-30", "check_out": "9999-12-31"}, 422, "too_far_ahead"),
        ({}, {"check_in": "0001-01-01", "check_out": "9999-12-31"}, 422, "check_in_past"),
        ({"status": ListingStatus.UNPUBLISHED}, {}, 409, "listing_not_bookable"),
        ({"status": ListingStatus.ARCHIVED}, {}, 409, "listing_not_bookable"),
        ({"status": ListingStatus.DRAFT}, {}, 404, "not_found"),
        ({}, {"check_out": ARRIVAL.isoformat()}, 422, "validation_failed"),
        ({}, {"check_out": (ARRIVAL - timedelta(days=1)).isoformat()}, 422, "validation_failed"),
        ({}, {"check_in": "2026-02-30"}, 422, "validation_failed"),
        ({}, {"guests": 0}, 422, "validation_failed"),
        ({}, {"price": 1}, 422, "validation_failed"),
    ],
)
async def test_a_stay_against_the_rules_is_refused_by_its_own_code(
    house: House, change: dict[str, Any], wish: dict[str, Any], status: int, reason: str
) -> None:
    listing = await house.listing(**change)

    answer = await house.ask_quote(listing.id, **wish)

    assert code(answer) == (status, reason)


@pytest.mark.parametrize("instant_book", [True, False])
@pytest.mark.parametrize("timezone", ["Etc/GMT+12", "Etc/GMT-14"])
async def test_the_longest_and_farthest_stay_is_still_quoted(house: House, timezone: str, instant_book: bool) -> None:
    listing = await house.listing(timezone=timezone, max_nights=365, instant_book=instant_book)
    today = Stay(ARRIVAL, ARRIVAL, timezone).today

    answer = await house.ask_quote(listing.id, **nights_from(today + timedelta(days=540), 365))

    assert answer.status_code == 201


async def test_today_is_the_date_where_the_listing_is(house: House) -> None:
    west, east = await house.listing(timezone=WEST), await house.listing(timezone=EAST)
    yesterday_in_the_east = nights_from(Stay(ARRIVAL, ARRIVAL, EAST).today - timedelta(days=1), 1)

    assert (await house.ask_quote(west.id, **yesterday_in_the_east)).status_code == 201
    assert code(await house.ask_quote(east.id, **yesterday_in_the_east)) == (422, "check_in_past")


async def test_a_host_cannot_book_their_own_listing(house: House) -> None:
    listing = await house.listing()

    assert code(await house.ask_quote(listing.id, listing.host_id)) == (403, "own_listing")


async def test_taken_nights_are_not_quoted(house: House) -> None:
    listing = await house.listing()
    await house.book(listing, uuid4())

    assert code(await house.ask_quote(listing.id)) == (409, "dates_unavailable")


async def test_the_day_of_departure_is_free_for_the_next_guest(house: House) -> None:
    listing = await house.listing()
    await house.book(listing, uuid4(), **nights_from(ARRIVAL, 2))

    await house.book(listing, uuid4(), **nights_from(ARRIVAL + timedelta(days=2), 2))
    await house.book(listing, uuid4(), **nights_from(ARRIVAL - timedelta(days=2), 2))

    assert await house.calendar(listing, ARRIVAL - timedelta(days=2), 6) == [0] * 6


async def test_a_listing_that_is_withdrawn_cannot_be_booked_with_an_earlier_quote(house: House) -> None:
    listing, guest = await house.listing(), uuid4()
    quote = await house.quote(listing, guest)
    gone = listing.model_copy(update={"version": 2, "status": ListingStatus.UNPUBLISHED})

    await house.deliver(ListingUnpublished(listing_id=listing.id, listing=gone))

    assert code(await house.ask_booking(quote["id"], guest)) == (409, "listing_not_bookable")
    assert await house.calendar(listing) == [0, 0]


async def test_a_quote_needs_somebody_signed_in(house: House) -> None:
    answer = await house.client.post("/api/v1/quotes", json={"listing_id": str(uuid4())})

    assert answer.status_code == 401


async def test_malformed_json_is_a_problem(house: House) -> None:
    headers = {**signed_in(), "Content-Type": "application/json"}

    answer = await house.client.post("/api/v1/quotes", content=b'{"listing_id": ', headers=headers)

    assert code(answer) == (422, "validation_failed")


@pytest.mark.parametrize(
    ("amount", "percent", "share"),
    [(0, 10, 0), (5, 10, 1), (4, 10, 0), (14, 10, 1), (15, 10, 2), (1_400_000, 10, 140_000), (99, 100, 99), (1, 50, 1)],
)
def test_half_a_minor_unit_is_rounded_up(amount: int, percent: int, share: int) -> None:
    assert percent_of(amount, percent) == share
