"""Whatever the listings, filters, order and page size: search finds what a loop over a list finds, each item once."""

import asyncio
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any
from uuid import UUID

import httpx
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from nexus_contracts.money import Money
from nexus_contracts.rates import LengthDiscount, RateRule, Rates, Weekday
from nexus_kit.testing import Service
from nexus_listings import shapes
from nexus_listings.listings.models import Listing
from nexus_listings.nights.models import SoldOutNight
from sqlalchemy import delete, insert

from tests.listings import naive
from tests.listings.given import API, rows, soon
from tests.listings.naive import BASE, PARENTS, Place

WORDS = ["lake", "Café", "garden", "Zürich", "quiet", "kitchen"]
CITIES = ["Addis Ababa", "addis ababa", "São Paulo", "Sao Paulo", "Gondar"]
HOSTS = [UUID(int=number) for number in range(1, 4)]
ORDERS = ["newest", "price", "-price", "rating"]
AMENITIES = ["wifi", "pool", "gym"]

titles = st.lists(st.sampled_from(WORDS), min_size=1, max_size=3).map(" ".join)
days = st.none() | st.integers(-1, 8).map(soon)
rules = st.builds(
    RateRule,
    first_night=days,
    last_night=days,
    weekdays=st.lists(st.sampled_from(Weekday), unique=True, max_size=3).map(tuple),
    priority=st.integers(0, 1),
    price=st.none() | st.integers(1, 8).map(lambda amount: Money(amount=amount, currency="ETB")),
    min_nights=st.none() | st.integers(1, 2),
    max_nights=st.none() | st.integers(2, 4),
    closed_to_arrival=st.none() | st.booleans(),
    closed_to_departure=st.none() | st.booleans(),
)
# Some on the 180th meridian, some near a pole, some at the same spot.
latitudes = st.sampled_from([0.0, 0.5, -1.0, 89.0]) | st.floats(-2, 2, width=16)
longitudes = st.sampled_from([0.0, 0.5, 179.9, -179.9]) | st.floats(-2, 2, width=16)
listings = st.lists(
    st.builds(
        lambda sold_out, published_days_ago, **columns: Place(
            BASE | columns | {"published_at": datetime(2026, 1, 1, tzinfo=UTC) - timedelta(days=published_days_ago)},
            sold_out,
        ),
        sold_out=st.frozensets(st.integers(0, 8), max_size=2),
        published_days_ago=st.integers(0, 3),  # few values, so that ties are common
        id=st.uuids(),
        status=st.sampled_from(["published", "published", "published", "unpublished", "archived"]),
        price_amount=st.integers(1, 4),
        title=titles,
        description=titles,
        city=st.sampled_from(CITIES),
        category=st.sampled_from(list(PARENTS)),
        capacity=st.integers(1, 4),
        host_id=st.sampled_from(HOSTS),
        amenities=st.lists(st.sampled_from(AMENITIES), unique=True).map(sorted),
        latitude=latitudes,
        longitude=longitudes,
        min_nights=st.integers(1, 2),
        max_nights=st.integers(3, 5),
        rates=st.just(Rates()) | st.lists(rules, max_size=3).map(lambda some: Rates(rules=tuple(some))),
        length_discounts=st.just([]) | st.just([LengthDiscount(nights=3, percent=50)]),
        advance_notice_hours=st.sampled_from([0, 0, 24, 72]),
        booking_window_days=st.sampled_from([540, 540, 3]),
        rating=st.none() | st.sampled_from([3.5, 4.25, 5.0]),
        reviews=st.integers(0, 2),
    ),
    min_size=8,
    max_size=25,
    unique_by=lambda place: place.row["id"],
)


def _is_polygon(corners: list[tuple[float, float]]) -> bool:
    try:
        shapes.polygon(";".join(f"{latitude!r},{longitude!r}" for latitude, longitude in corners))
    except ValueError:
        return False
    return True


# Corners off the grid that listings stand on: whether a side belongs to the polygon is not what is compared here.
corners = st.tuples(st.floats(-2.5, 2.5), st.floats(-2.5, 2.5)).map(lambda at: (at[0] + 0.0012345, at[1] + 0.0054321))
filters: dict[str, st.SearchStrategy[Any]] = {
    "q": st.lists(st.sampled_from([*WORDS, "cafe", "ZURICH", "lakes", "Addis"]), min_size=1, max_size=2).map(" ".join),
    "category": st.sampled_from([*PARENTS, "nowhere"]).filter(lambda slug: slug != "nowhere"),
    "city": st.sampled_from([*CITIES, "SAO PAULO", "Axum"]),
    "price": st.tuples(st.integers(0, 4), st.integers(0, 6)).map(sorted),
    "guests": st.integers(1, 4),
    "amenities": st.lists(st.sampled_from(AMENITIES), min_size=1, max_size=2, unique=True),
    "host_id": st.sampled_from(HOSTS),
    "near": st.tuples(latitudes, longitudes),
    "bbox": st.sampled_from([(-1.0, -1.0, 1.0, 1.0), (179.0, -5.0, -179.0, 5.0), (-180.0, 80.0, 180.0, 90.0)]),
    "polygon": st.lists(corners, min_size=3, max_size=6, unique=True).filter(_is_polygon),
    "nights": st.tuples(st.integers(1, 5), st.integers(1, 4)),
}
wishes = st.fixed_dictionaries({}, optional=filters).flatmap(
    lambda wanted: st.fixed_dictionaries(
        {},
        optional={
            "sort": st.sampled_from(
                [
                    "newest",
                    "price",
                    "-price",
                    "rating",
                    *["relevance"] * ("q" in wanted),
                    *["distance"] * ("near" in wanted),
                ]
            ),
            **({"flexible_days": st.integers(0, 3)} if "nights" in wanted else {}),
        },
    ).map(lambda more: {**wanted, **more, **({"radius_km": 150.25} if "near" in wanted else {})})
)
alike = wishes.flatmap(
    lambda wish: st.lists(
        st.fixed_dictionaries({name: filters.get(name, st.just(value)) for name, value in wish.items()}),
        min_size=2,
        max_size=6,
    )
)
"""Wishes that differ in nothing but their values."""
carefully = settings(
    deadline=None,
    phases=[Phase.reuse, Phase.generate],  # to shrink a failure would take minutes, and it can be read as it is
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much],
)


def parameters(wanted: dict[str, Any]) -> dict[str, str]:
    """The same wish as a query string."""
    query = {name: str(value) for name, value in wanted.items() if isinstance(value, str | int | float | UUID)}
    for name in {"near", "bbox", "amenities"} & wanted.keys():
        query[name] = ",".join(str(each) for each in wanted[name])
    if "polygon" in wanted:
        query["polygon"] = ";".join(f"{latitude!r},{longitude!r}" for latitude, longitude in wanted["polygon"])
    if "price" in wanted:
        query |= {"min_price": str(wanted["price"][0]), "max_price": str(wanted["price"][1])}
    if "nights" in wanted:
        first, count = wanted["nights"]
        query |= {"check_in": str(soon(first)), "check_out": str(soon(first + count))}
    return query


async def a_page(client: httpx.AsyncClient, query: dict[str, str], limit: int, cursor: str | None) -> dict[str, Any]:
    """One of them."""
    asked = {**query, "limit": str(limit), **({"cursor": cursor} if cursor else {})}
    answer = await client.get(f"{API}/listings", params=asked)
    assert answer.status_code == 200, answer.text
    page: dict[str, Any] = answer.json()
    return page


async def all_pages(client: httpx.AsyncClient, query: dict[str, str], limit: int) -> list[dict[str, Any]]:
    """The cards on all pages; every page but the last is full."""
    pages = [await a_page(client, query, limit, None)]
    while cursor := pages[-1]["next_cursor"]:
        pages.append(await a_page(client, query, limit, cursor))
    assert all(len(page["items"]) == limit for page, _ in pairwise(pages))
    return [each for page in pages for each in page["items"]]


async def exist(service: Service, everything: list[Place]) -> None:
    """These listings and no others."""
    await service.clean(keep=["categories"])
    nights = [
        {"listing_id": place.row["id"], "night": soon(day), "sold_out": True, "sequence": 1}
        for place in everything
        for day in place.sold_out
    ]
    if nights:
        async with service.database.unit_of_work() as session:
            await session.execute(insert(SoldOutNight), nights)
    await rows(service, [place.row for place in everything])


@pytest.mark.timeout(300)
@settings(carefully, max_examples=25)
@given(everything=listings, wanted=st.lists(wishes, min_size=8, max_size=12), limit=st.integers(1, 7))
async def test_search_finds_what_a_loop_would_find(
    service: Service, everything: list[Place], wanted: list[dict[str, Any]], limit: int
) -> None:
    await exist(service, everything)

    async with service.client() as client:
        for wish in wanted:
            cards = await all_pages(client, parameters(wish), limit)

            assert [card["id"] for card in cards] == naive.found(everything, wish), wish
            if "nights" in wish:
                by_id = {str(place.row["id"]): place for place in everything}
                for card in cards:
                    fitting = naive.stays(by_id[card["id"]], wish)
                    assert (card["stay"]["check_in"], card["stay"]["nightly"]["amount"]) == _written(fitting[0])
                    if wish.get("flexible_days"):
                        shown = [(stay["check_in"], stay["nightly"]["amount"]) for stay in card["stays"]]
                        assert shown == [_written(stay) for stay in sorted(fitting)]


@pytest.mark.timeout(300)
@settings(carefully, max_examples=25)
@given(everything=listings, wanted=alike, limit=st.integers(1, 7))
async def test_searches_at_once_that_differ_in_values_alone_find_each_its_own(
    service: Service, everything: list[Place], wanted: list[dict[str, Any]], limit: int
) -> None:
    await exist(service, everything)

    async with service.client() as client:
        answers = await asyncio.gather(*(all_pages(client, parameters(wish), limit) for wish in wanted))

    for wish, cards in zip(wanted, answers, strict=True):
        assert [card["id"] for card in cards] == naive.found(everything, wish), wish


def _written(stay: tuple[int, int]) -> tuple[str, int]:
    return str(soon(stay[0])), stay[1]


@pytest.mark.timeout(300)
@settings(carefully, max_examples=20)
@given(everything=listings, wanted=wishes, limit=st.integers(1, 4), newcomers=listings, chance=st.randoms())
async def test_no_listing_that_was_there_throughout_is_lost_or_repeated(
    service: Service,
    *,
    everything: list[Place],
    wanted: dict[str, Any],
    limit: int,
    newcomers: list[Place],
    chance: Any,
) -> None:
    known = {place.row["id"] for place in everything}
    coming = [place for place in newcomers if place.row["id"] not in known]
    leaving = {place.row["id"] for place in everything if chance.random() < 0.2}
    await exist(service, everything)
    shown: list[str] = []

    async with service.client() as client:
        page = await a_page(client, parameters(wanted), limit, None)
        shown += [card["id"] for card in page["items"]]
        while page["next_cursor"]:
            async with service.database.unit_of_work() as session:
                if coming:
                    await session.execute(insert(Listing), [coming.pop().row])
                if leaving:
                    await session.execute(delete(Listing).where(Listing.id == leaving.pop()))
            page = await a_page(client, parameters(wanted), limit, page["next_cursor"])
            shown += [card["id"] for card in page["items"]]

    assert len(set(shown)) == len(shown)
    async with service.database.unit_of_work() as session:
        left = {str(row.id) for row in await session.execute(Listing.__table__.select())}
    throughout = [each for each in naive.found(everything, wanted) if each in left]
    assert [each for each in shown if each in set(throughout)] == throughout
