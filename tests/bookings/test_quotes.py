"""Quotes: what a stay costs, and every reason not to quote it."""

from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from uuid import uuid4

import pytest
from nexus_bookings.pricing import GuestPrice
from nexus_bookings.stays import today
from nexus_contracts.listings import CancellationPolicy, ListingStatus, ListingUnpublished, ListingUpdated
from nexus_contracts.rates import RateRule, Rates
from nexus_kit.testing import signed_in

from tests.bookings.given import ARRIVAL, House, birr, code, nights_from

WEST, EAST = "Pacific/Pago_Pago", "Pacific/Kiritimati"
"""25 hours apart: it is never the same date in both."""


def on(day: date, **terms: Any) -> dict[str, Any]:
    """A listing with other terms on one day."""
    return {"rates": Rates(rules=(RateRule(first_night=day, last_night=day, **terms),))}


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
    assert quote["tax"]["amount"] == 210_000
    assert quote["total"] == {"amount": 1_750_000, "currency": "ETB"}
    assert (quote["host_fee"]["amount"], quote["host_payout"]["amount"]) == (42_000, 1_358_000)


async def test_a_quote_is_valid_for_half_an_hour_and_states_its_terms(house: House) -> None:
    listing = await house.listing()

    quote = await house.quote(listing, uuid4())

    valid_for = datetime.fromisoformat(quote["valid_until"]) - datetime.now(UTC)
    assert timedelta(minutes=29) < valid_for <= timedelta(minutes=30)
    day_before = ARRIVAL - timedelta(days=1)
    assert quote["cancellation"] == {
        "policy": "flexible",
        "tiers": [
            {"until": f"{day_before}T12:00:00.000Z", "refund_percent": 100},
            {"until": f"{ARRIVAL}T12:00:00.000Z", "refund_percent": 50},
        ],
        "non_refundable": None,
    }


async def test_a_quote_names_the_nights_whose_price_is_special(house: House) -> None:
    feast = RateRule(first_night=ARRIVAL + timedelta(days=1), last_night=ARRIVAL + timedelta(days=1), price=birr(1))
    listing = await house.listing(rates=Rates(rules=(feast,)))

    quote = await house.quote(listing, uuid4(), **nights_from(ARRIVAL, 3))

    assert [(line["price"]["amount"], line["special"]) for line in quote["nights"]] == [
        (450_000, False),
        (1, True),
        (450_000, False),
    ]


async def test_the_promise_of_a_quote_is_kept_whatever_the_host_changes(house: House) -> None:
    listing, guest = await house.listing(units=2), uuid4()
    quote = await house.quote(listing, guest)

    changes = {
        "version": 2,
        "price": birr(900_000),
        "rates": Rates(rules=(RateRule(price=birr(950_000), min_nights=20, closed_to_arrival=True),)),
        "min_nights": 10,
        "max_nights": 30,
        "units": 1,
        "capacity": 1,
        "advance_notice_hours": 8760,
        "booking_window_days": 1,
        "cancellation_policy": CancellationPolicy.STRICT,
        "check_in_time": time(22),
    }
    await house.deliver(ListingUpdated(listing_id=listing.id, listing=listing.model_copy(update=changes)))
    booking = (await house.ask_booking(quote["id"], guest)).json()

    kept = ("check_in", "check_in_time", "check_out_time", "guests", "total", "cancellation")
    assert [booking[name] for name in kept] == [quote[name] for name in kept]
    assert (quote["check_in_time"], quote["check_out_time"]) == ("15:00", "11:00")
    assert booking["price"] == {name: quote[name] for name in GuestPrice.model_fields}


@pytest.mark.parametrize(
    ("change", "wish", "status", "reason"),
    [
        ({"min_nights": 3}, {}, 422, "minimum_stay"),
        ({"max_nights": 3}, nights_from(ARRIVAL, 4), 422, "maximum_stay"),
        ({"max_nights": 1000}, nights_from(ARRIVAL, 366), 422, "maximum_stay"),
        ({}, {"guests": 5}, 422, "too_many_guests"),
        ({"units": 2}, {"guests": 5}, 422, "too_many_guests"),
        ({}, nights_from(ARRIVAL - timedelta(days=40), 2), 422, "check_in_past"),
        ({}, nights_from(ARRIVAL + timedelta(days=530), 2), 422, "booking_window"),
        ({"booking_window_days": 7}, {}, 422, "booking_window"),
        ({}, {"check_in": "9999-12-30", "check_out": "9999-12-31"}, 422, "booking_window"),
        ({"advance_notice_hours": 24 * 60}, {}, 422, "advance_notice"),
        (on(ARRIVAL, min_nights=3), {}, 422, "minimum_stay"),
        (on(ARRIVAL, max_nights=1), {}, 422, "maximum_stay"),
        (on(ARRIVAL, closed_to_arrival=True), {}, 422, "closed_to_arrival"),
        (on(ARRIVAL + timedelta(days=2), closed_to_departure=True), {}, 422, "closed_to_departure"),
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


async def test_a_stay_that_ends_before_it_begins_is_blamed_on_its_end(house: House) -> None:
    listing = await house.listing()

    answer = await house.ask_quote(listing.id, check_out=ARRIVAL.isoformat())

    assert [each["pointer"] for each in answer.json()["errors"]] == ["/check_out"]


@pytest.mark.parametrize(
    ("change", "wish", "members"),
    [
        ({"min_nights": 3}, {}, {"nights": 3}),
        ({"max_nights": 1}, {}, {"nights": 1}),
        ({"capacity": 1}, {}, {"guests": 1}),
        ({"booking_window_days": 7}, {}, {"days": 7}),
        ({"advance_notice_hours": 24 * 60}, {}, {"hours": 24 * 60}),
        (on(ARRIVAL, closed_to_arrival=True), {}, {"day": ARRIVAL.isoformat()}),
    ],
)
async def test_a_refusal_carries_what_would_be_accepted(
    house: House, change: dict[str, Any], wish: dict[str, Any], members: dict[str, Any]
) -> None:
    listing = await house.listing(**change)

    problem = (await house.ask_quote(listing.id, **wish)).json()

    assert problem.items() >= members.items()


async def test_rules_of_arrival_and_departure_concern_those_days_alone(house: House) -> None:
    elsewhere = RateRule(
        first_night=ARRIVAL + timedelta(days=1),
        last_night=ARRIVAL + timedelta(days=1),
        min_nights=20,
        closed_to_arrival=True,
        closed_to_departure=True,
    )
    listing = await house.listing(rates=Rates(rules=(elsewhere,)))

    assert (await house.ask_quote(listing.id)).status_code == 201
    assert code(await house.ask_quote(listing.id, **nights_from(ARRIVAL, 1))) == (422, "closed_to_departure")


@pytest.mark.parametrize("instant_book", [True, False])
@pytest.mark.parametrize("timezone", ["Etc/GMT+12", "Etc/GMT-14"])
async def test_the_longest_and_farthest_stay_is_still_quoted(house: House, timezone: str, instant_book: bool) -> None:
    listing = await house.listing(timezone=timezone, max_nights=365, instant_book=instant_book)

    answer = await house.ask_quote(listing.id, **nights_from(today(timezone) + timedelta(days=540), 365))

    assert answer.status_code == 201


async def test_today_is_the_date_where_the_listing_is(house: House) -> None:
    west, east = await house.listing(timezone=WEST), await house.listing(timezone=EAST)
    yesterday_in_the_east = nights_from(today(EAST) - timedelta(days=1), 1)

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
