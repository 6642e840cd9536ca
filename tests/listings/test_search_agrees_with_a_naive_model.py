"""Whatever the listings, filters and page size: search finds what a loop over a list would find, each item once."""

import unicodedata
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any
from uuid import UUID

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from nexus_kit.testing import Service
from nexus_listings.nights.models import SoldOutNight
from sqlalchemy import insert

from tests.listings.given import API, rows, soon

WORDS = ["lake", "Café", "garden", "Zürich", "quiet", "kitchen"]
CITIES = ["Addis Ababa", "addis ababa", "São Paulo", "Sao Paulo", "Gondar"]
PARENTS = {
    "house": None,
    "bungalow": "house",
    "villa": None,
    "apartment": None,
    "studio": "apartment",
    "loft": "apartment",
}
HOSTS = [UUID(int=number) for number in range(1, 4)]


@dataclass(frozen=True)
class Place:
    """One listing as the model knows it."""

    row: dict[str, Any]
    sold_out: frozenset[int]
    """Nights, in days from today."""


titles = st.lists(st.sampled_from(WORDS), min_size=1, max_size=3).map(" ".join)
places = st.builds(
    lambda published_days_ago, status, price, **columns: {
        **columns,
        "status": status,
        "price_amount": price,
        "published_at": datetime(2026, 1, 1, tzinfo=UTC) - timedelta(days=published_days_ago),
        "currency": "ETB",
        "country": "ET",
        "latitude": 0.0,
        "longitude": 0.0,
        "timezone": "UTC",
    },
    id=st.uuids(),
    published_days_ago=st.integers(0, 3),  # few values, so that ties are common
    status=st.sampled_from(["published", "published", "published", "unpublished", "archived"]),
    price=st.integers(1, 4),
    title=titles,
    description=titles,
    city=st.sampled_from(CITIES),
    category=st.sampled_from(list(PARENTS)),
    capacity=st.integers(1, 4),
    host_id=st.sampled_from(HOSTS),
    min_nights=st.integers(1, 3),
    max_nights=st.integers(3, 5),
)
listings = st.lists(
    st.builds(Place, places, st.frozensets(st.integers(1, 6), max_size=2)),
    min_size=8,
    max_size=25,
    unique_by=lambda place: place.row["id"],
)
optional = st.fixed_dictionaries(
    {},
    optional={
        "q": st.lists(st.sampled_from([*WORDS, "cafe", "ZURICH", "lakes"]), min_size=1, max_size=2).map(" ".join),
        "category": st.sampled_from([*PARENTS, "nowhere"]),
        "city": st.sampled_from([*CITIES, "SAO PAULO", "Axum"]),
        "price": st.tuples(st.integers(0, 4), st.integers(0, 4)).map(sorted),
        "guests": st.integers(1, 5),
        "host_id": st.sampled_from(HOSTS),
        "nights": st.tuples(st.integers(1, 4), st.integers(1, 5)),
        "sort": st.sampled_from(["newest", "price", "-price"]),
    },
)


def folded(text: str) -> str:
    """Without accents and case."""
    return "".join(each for each in unicodedata.normalize("NFKD", text) if not unicodedata.combining(each)).lower()


def expected(everything: list[Place], wanted: dict[str, Any]) -> list[str]:
    """The ids that a search must find; in this order, unless they are sorted by relevance."""
    found = [place.row for place in everything if matches(place, wanted)]
    sort = wanted.get("sort", "newest")
    column = "published_at" if sort == "newest" else "price_amount"
    found.sort(key=lambda row: (row[column], row["id"].int), reverse=sort != "price")
    return [str(row["id"]) for row in found]


def matches(place: Place, wanted: dict[str, Any]) -> bool:
    """Every filter, one after the other."""
    row = place.row
    words = folded(f"{row['title']} {row['description']} {row['city']}").split()
    low, high = wanted.get("price", (0, 9))
    first, count = wanted.get("nights", (0, row["min_nights"]))
    return (
        row["status"] == "published"
        and all(folded(word).removesuffix("s") in words for word in wanted.get("q", "").split())
        and wanted.get("category", row["category"]) in {row["category"], PARENTS[row["category"]]}
        and folded(wanted.get("city", row["city"])) == folded(row["city"])
        and low <= row["price_amount"] <= high
        and wanted.get("guests", 1) <= row["capacity"]
        and wanted.get("host_id", row["host_id"]) == row["host_id"]
        and row["min_nights"] <= count <= row["max_nights"]
        and ("nights" not in wanted or place.sold_out.isdisjoint(range(first, first + count)))
    )


def parameters(wanted: dict[str, Any]) -> dict[str, str]:
    """The same wish as a query string."""
    query = {name: str(value) for name, value in wanted.items() if name not in {"price", "nights"}}
    if "price" in wanted:
        query |= {"min_price": str(wanted["price"][0]), "max_price": str(wanted["price"][1])}
    if "nights" in wanted:
        first, count = wanted["nights"]
        query |= {"check_in": str(soon(first)), "check_out": str(soon(first + count))}
    return query


async def all_pages(client: httpx.AsyncClient, query: dict[str, str], limit: int) -> list[str]:
    """The ids on all pages; every page but the last is full."""
    pages: list[list[str]] = []
    cursor = None
    while not pages or cursor:
        answer = await client.get(
            f"{API}/listings", params={**query, "limit": str(limit), **({"cursor": cursor} if cursor else {})}
        )
        assert answer.status_code == 200, answer.text
        pages.append([card["id"] for card in answer.json()["items"]])
        cursor = answer.json()["next_cursor"]
    assert all(len(page) == limit for page, _ in pairwise(pages))
    return [each for page in pages for each in page]


@pytest.mark.timeout(240)
@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
@given(everything=listings, wishes=st.lists(optional, min_size=6, max_size=10), limit=st.integers(1, 7))
async def test_search_finds_what_a_loop_would_find(
    service: Service, everything: list[Place], wishes: list[dict[str, Any]], limit: int
) -> None:
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

    async with service.client() as client:
        for wanted in wishes:
            found = await all_pages(client, parameters(wanted), limit)

            should = expected(everything, wanted)
            if "q" in wanted and "sort" not in wanted:  # by relevance: how words weigh is PostgreSQL's business
                found, should = sorted(found), sorted(should)
            assert found == should, wanted
