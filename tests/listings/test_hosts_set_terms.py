"""Rates, discounts, times, rules and cancellation: kept as sent, told to bookings, and refused where they are wrong."""

import copy
import json
from collections.abc import Iterator
from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from nexus_contracts.listings import ListingSnapshot
from nexus_contracts.rates import RateRule
from nexus_kit.testing import Service, from_service, signed_in
from nexus_listings.listings.schemas import EXAMPLE
from nexus_listings.terms import MOST_RULES, RateRuleBody

from tests.listings.given import API, COMPLETE, a_draft, a_listing, change
from tests.rates import DAYS, painted, rate_rules

ETB = {"amount": 100, "currency": "ETB"}
TIERS = [{"hours_before_check_in": 72, "refund_percent": 100}, {"hours_before_check_in": 24, "refund_percent": 50}]


def rules(*each: dict[str, Any]) -> dict[str, Any]:
    """Rates of these rules."""
    return {"rules": list(each)}


def discounts(*steps: tuple[Any, Any]) -> list[dict[str, Any]]:
    """So many nights, so much percent."""
    return [{"nights": nights, "percent": percent} for nights, percent in steps]


def tiers(*steps: tuple[Any, Any]) -> list[dict[str, Any]]:
    """So many hours, so much percent."""
    return [{"hours_before_check_in": hours, "refund_percent": percent} for hours, percent in steps]


async def test_all_terms_are_kept_as_they_were_sent(host: httpx.AsyncClient) -> None:
    draft = await a_draft(host, **EXAMPLE, external_id="house 1")

    kept = {name: draft[name] for name in EXAMPLE} | {"rates": None}
    assert kept == EXAMPLE | {"rates": None}
    for sent, rule in zip(EXAMPLE["rates"]["rules"], draft["rates"]["rules"], strict=True):
        silent = dict.fromkeys(RateRule.model_fields) | {"name": "", "weekdays": [], "priority": 0}
        assert rule == silent | sent
    assert (draft["external_id"], draft["rating"], draft["reviews"]) == ("house 1", None, 0)
    assert (await host.get(f"{API}/listings/{draft['id']}")).json() == draft


async def test_a_draft_begins_without_conditions(host: httpx.AsyncClient) -> None:
    draft = (await host.post(f"{API}/listings", json={"title": "Bare"})).json()

    assert (draft["rates"], draft["length_discounts"], draft["cancellation_tiers"]) == ({"rules": []}, [], [])
    assert (draft["advance_notice_hours"], draft["booking_window_days"]) == (0, 540)
    assert (draft["check_in_time"], draft["check_out_time"], draft["house_rules"]) == ("15:00", "11:00", [])
    assert (draft["included_guests"], draft["extra_guest_fee"]) == (None, {"amount": 0, "currency": "ETB"})


@pytest.mark.parametrize("field", [name for name in EXAMPLE if name != "cancellation_policy"])
async def test_changing_one_field_keeps_all_others(host: httpx.AsyncClient, field: str) -> None:
    other = EXAMPLE | {
        "title": "Renamed", "description": "Other.", "category": "villa", "city": "Gondar", "country": "KE",
        "latitude": -1.0, "longitude": 36.8, "timezone": "Africa/Nairobi", "price": ETB, "cleaning_fee": ETB,
        "capacity": 6, "included_guests": 3, "extra_guest_fee": ETB, "units": 2, "amenities": ["pool"],
        "min_nights": 2, "max_nights": 20, "rates": rules({"price": ETB}), "length_discounts": discounts((5, 5)),
        "advance_notice_hours": 1, "booking_window_days": 30, "check_in_time": "16:30", "check_out_time": "10:15",
        "house_rules": ["Shoes off."], "instant_book": False, "cancellation_tiers": TIERS,
    }  # fmt: skip
    listing = await a_listing(host, **EXAMPLE)

    changed = await change(host, listing["id"], **{field: other[field]})

    assert changed.status_code == 200, changed.text
    moved = {name for name, value in changed.json().items() if value != listing[name]}
    assert moved == {field, "updated_at"}


async def test_sending_the_same_terms_again_makes_no_version(host: httpx.AsyncClient) -> None:
    listing = await a_listing(host, **EXAMPLE)

    again = await change(host, listing["id"], **EXAMPLE)

    assert again.headers["ETag"] == '"2"'


async def test_weekdays_and_amenities_are_sets(host: httpx.AsyncClient) -> None:
    draft = await a_draft(host, rates=rules({"weekdays": ["sunday", "friday", "sunday"], "price": ETB}))

    assert draft["rates"]["rules"][0]["weekdays"] == ["friday", "sunday"]


WRONG: list[tuple[str, Any, str]] = [
    ("rates", None, "/rates"),
    ("rates", {}, "/rates/rules"),
    ("rates", [], "/rates"),
    ("rates", rules({}), "/rates/rules/0"),
    ("rates", rules({"price": ETB}, {"name": "Says nothing", "weekdays": ["friday"]}), "/rates/rules/1"),
    ("rates", rules({"price": ETB, "colour": "red"}), "/rates/rules/0/colour"),
    ("rates", rules({"price": ETB, "name": "x" * 81}), "/rates/rules/0/name"),
    ("rates", rules({"price": ETB, "name": "a\x00"}), "/rates/rules/0/name"),
    ("rates", rules({"price": ETB, "first_night": "2027-02-30"}), "/rates/rules/0/first_night"),
    ("rates", rules({"price": ETB, "first_night": 1796774400}), "/rates/rules/0/first_night"),
    ("rates", rules({"price": ETB, "last_night": "2027-01-01T00:00:00"}), "/rates/rules/0/last_night"),
    (
        "rates",
        rules({"price": ETB, "first_night": "2027-01-02", "last_night": "2027-01-01"}),
        "/rates/rules/0/last_night",
    ),
    ("rates", rules({"price": ETB, "weekdays": ["Monday"]}), "/rates/rules/0/weekdays/0"),
    ("rates", rules({"price": ETB, "weekdays": "monday"}), "/rates/rules/0/weekdays"),
    ("rates", rules({"price": ETB, "priority": "1"}), "/rates/rules/0/priority"),
    ("rates", rules({"price": ETB, "priority": True}), "/rates/rules/0/priority"),
    ("rates", rules({"price": ETB, "priority": 1001}), "/rates/rules/0/priority"),
    ("rates", rules({"price": {"amount": 0, "currency": "ETB"}}), "/rates/rules/0/price"),
    ("rates", rules({"price": {"amount": 100, "currency": "EUR"}}), "/rates/rules/0/price"),
    ("rates", rules({"price": {"amount": "100", "currency": "ETB"}}), "/rates/rules/0/price/amount"),
    ("rates", rules({"min_nights": 0}), "/rates/rules/0/min_nights"),
    ("rates", rules({"min_nights": True}), "/rates/rules/0/min_nights"),
    ("rates", rules({"max_nights": 366}), "/rates/rules/0/max_nights"),
    ("rates", rules({"min_nights": 3, "max_nights": 2}), "/rates/rules/0/max_nights"),
    ("rates", rules({"closed_to_arrival": "true"}), "/rates/rules/0/closed_to_arrival"),
    ("rates", rules({"closed_to_departure": 1}), "/rates/rules/0/closed_to_departure"),
    ("rates", rules(*[{"price": ETB}] * (MOST_RULES + 1)), "/rates/rules"),
    ("length_discounts", None, "/length_discounts"),
    ("length_discounts", discounts((7, 10), (7, 20)), "/length_discounts/1/nights"),
    ("length_discounts", discounts((7, 10), (9, 12), (8, 20)), "/length_discounts/2/nights"),
    ("length_discounts", discounts((7, 0)), "/length_discounts/0/percent"),
    ("length_discounts", discounts((7, 96)), "/length_discounts/0/percent"),
    ("length_discounts", discounts(("7", 10)), "/length_discounts/0/nights"),
    ("length_discounts", discounts((1, 10)), "/length_discounts/0/nights"),
    ("length_discounts", discounts(*((nights, 5) for nights in range(2, 23))), "/length_discounts"),
    ("cancellation_tiers", None, "/cancellation_tiers"),
    ("cancellation_tiers", tiers((24, 100), (24, 50)), "/cancellation_tiers/1/hours_before_check_in"),
    ("cancellation_tiers", tiers((24, 100), (48, 50)), "/cancellation_tiers/1/hours_before_check_in"),
    ("cancellation_tiers", tiers((48, 50), (24, 50)), "/cancellation_tiers/1/refund_percent"),
    ("cancellation_tiers", tiers((48, 50), (24, 60)), "/cancellation_tiers/1/refund_percent"),
    ("cancellation_tiers", tiers((24, 101)), "/cancellation_tiers/0/refund_percent"),
    ("cancellation_tiers", tiers((-1, 50)), "/cancellation_tiers/0/hours_before_check_in"),
    ("cancellation_tiers", tiers((24.5, 50)), "/cancellation_tiers/0/hours_before_check_in"),
    ("check_in_time", None, "/check_in_time"),
    ("check_in_time", "24:00", "/check_in_time"),
    ("check_in_time", "15:00:00", "/check_in_time"),
    ("check_in_time", "15:00Z", "/check_in_time"),
    ("check_in_time", "3pm", "/check_in_time"),
    ("check_in_time", "١٥:٠٠", "/check_in_time"),  # noqa: RUF001 - digits, but not the ones meant
    ("check_out_time", 39600, "/check_out_time"),
    ("check_out_time", "11:60", "/check_out_time"),
    ("house_rules", "No parties.", "/house_rules"),
    ("house_rules", ["Fine.", "  "], "/house_rules/1"),
    ("house_rules", ["x" * 201], "/house_rules/0"),
    ("house_rules", ["a\x00"], "/house_rules"),
    ("house_rules", ["Fine."] * 21, "/house_rules"),
    ("advance_notice_hours", -1, "/advance_notice_hours"),
    ("advance_notice_hours", "24", "/advance_notice_hours"),
    ("advance_notice_hours", 8761, "/advance_notice_hours"),
    ("booking_window_days", 0, "/booking_window_days"),
    ("booking_window_days", 731, "/booking_window_days"),
    ("included_guests", 0, "/included_guests"),
    ("included_guests", True, "/included_guests"),
    ("extra_guest_fee", {"amount": -1, "currency": "ETB"}, "/extra_guest_fee"),
    ("extra_guest_fee", {"amount": 1, "currency": "KES"}, "/extra_guest_fee"),
    ("extra_guest_fee", None, "/extra_guest_fee"),
    ("external_id", "", "/external_id"),
    ("external_id", "x" * 101, "/external_id"),
    ("external_id", 7, "/external_id"),
    ("latitude", "1.5", "/latitude"),
    ("latitude", True, "/latitude"),
    ("longitude", "37.4", "/longitude"),
    ("rating", 5, "/rating"),
    ("version", 2, "/version"),
]


@pytest.mark.parametrize(("field", "value", "pointer"), WRONG, ids=lambda value: str(value)[:40])
async def test_what_is_wrong_is_named_by_its_place(
    host: httpx.AsyncClient, field: str, value: Any, pointer: str
) -> None:
    draft = await a_draft(host)

    created = await host.post(f"{API}/listings", json=COMPLETE | {field: value})
    changed = await change(host, draft["id"], **{field: value})

    for answer in (created, changed):
        assert (answer.status_code, answer.json()["code"]) == (422, "validation_failed"), answer.text
        assert {error["pointer"] for error in answer.json()["errors"]} == {pointer}


@pytest.mark.parametrize(
    ("changes", "code", "pointer"),
    [
        ({"category": "castle"}, "unknown_category", "/category"),
        ({"min_nights": 31}, "nights_inverted", "/max_nights"),
        ({"included_guests": 5}, "more_included_than_fit", "/included_guests"),
        ({"capacity": 1}, "more_included_than_fit", "/included_guests"),
        ({"cancellation_policy": "strict"}, "tiers_without_custom_policy", "/cancellation_tiers"),
    ],
)
async def test_fields_that_do_not_go_together_are_named(
    host: httpx.AsyncClient, changes: dict[str, Any], code: str, pointer: str
) -> None:
    listing = await a_draft(host, **EXAMPLE)

    created = await host.post(f"{API}/listings", json=EXAMPLE | changes)
    changed = await change(host, listing["id"], **changes)

    for answer in (created, changed):
        assert (answer.status_code, answer.json()["code"]) == (422, code), answer.text
        assert [error["pointer"] for error in answer.json()["errors"]] == [pointer]


async def test_a_custom_policy_needs_its_tiers_to_be_published(host: httpx.AsyncClient) -> None:
    draft = (await host.post(f"{API}/listings", json={"title": "Bare", "cancellation_policy": "custom"})).json()
    listing = await a_listing(host)

    published = await host.post(f"{API}/listings/{draft['id']}/publish")
    changed = await change(host, listing["id"], cancellation_policy="custom")
    whole = await change(host, listing["id"], cancellation_policy="custom", cancellation_tiers=TIERS)

    assert (published.status_code, published.json()["code"]) == (422, "listing_incomplete")
    assert {"/cancellation_tiers", "/price", "/city"} < {error["pointer"] for error in published.json()["errors"]}
    assert [error["pointer"] for error in changed.json()["errors"]] == ["/cancellation_tiers"]
    assert (whole.status_code, whole.json()["cancellation_tiers"]) == (200, TIERS)


async def test_an_external_id_is_the_hosts_own(host: httpx.AsyncClient, service: Service) -> None:
    await a_draft(host, external_id="1")
    second = await a_draft(host, external_id="2")

    repeated = await host.post(f"{API}/listings", json=COMPLETE | {"external_id": "1"})
    changed = await change(host, second["id"], external_id="1")
    async with service.client(**signed_in(uuid4())) as another:
        theirs = await another.post(f"{API}/listings", json=COMPLETE | {"external_id": "1"})

    assert (repeated.status_code, repeated.json()["code"]) == (409, "external_id_taken")
    assert (changed.status_code, changed.json()["code"]) == (409, "external_id_taken")
    assert theirs.status_code == 201


# -------------------------------------------------------------------------------- what bookings is told


def test_a_host_can_set_every_term_that_a_rule_has() -> None:
    assert RateRuleBody.model_fields.keys() == RateRule.model_fields.keys()


async def test_facts_carry_all_terms(service: Service, host: httpx.AsyncClient) -> None:
    listing = await a_listing(host, **EXAMPLE)

    told = (await service.published())[0].data.listing

    shown = ListingSnapshot.model_validate(listing | {"version": 2})
    assert told == shown
    assert told.rates.rules[1].closed_to_departure is True
    assert set(ListingSnapshot.model_fields) <= {*listing, "version"}


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(each=st.lists(rate_rules(), max_size=6))
async def test_what_bookings_is_told_means_day_by_day_what_the_host_wrote(
    service: Service, host: httpx.AsyncClient, each: list[RateRule]
) -> None:
    wire = rules(*(rule.model_dump(mode="json") for rule in each))
    listing = await a_listing(host, rates=wire)

    async with service.client(**from_service("bookings", "listings")) as bookings:
        answer = await bookings.get(f"/internal/listings/{listing['id']}")

    told = ListingSnapshot.model_validate_json(answer.content)
    assert {day: told.rates.on(day) for day in DAYS} == painted(each, DAYS)
    assert listing["rates"] == wire


# -------------------------------------------------------------------------------------- no input breaks it


def places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Where in a document something stands."""
    members = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for step, inner in members:
        yield (*path, step)
        yield from places(inner, (*path, step))


PLACES = list(places(EXAMPLE))
SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters(), max_size=10)
JUNK = st.recursive(
    SCALARS,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["rules", "amount", "currency"]) | st.text(max_size=5), inner, max_size=3)
    ),
    max_leaves=5,
)


@settings(max_examples=80, deadline=None)
@given(path=st.sampled_from(PLACES), junk=JUNK)
async def test_nothing_in_any_place_of_a_listing_breaks_it(service: Service, path: tuple[Any, ...], junk: Any) -> None:
    body = copy.deepcopy(EXAMPLE)
    inner: Any = body
    for step in path[:-1]:
        inner = inner[step]
    inner[path[-1]] = junk

    async with service.client(**signed_in(UUID(int=1))) as client:
        answer = await client.post(
            f"{API}/listings", content=json.dumps(body).encode(), headers={"Content-Type": "application/json"}
        )

    assert answer.status_code in (201, 422), answer.text
