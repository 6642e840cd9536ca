"""PostgreSQL answers every main search by an index: no sequential scan over listings, whatever the filter."""

import random
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from nexus_kit.testing import Service
from nexus_listings.nights.models import SoldOutNight
from nexus_listings.search import queries
from nexus_listings.search.schemas import SearchQuery
from sqlalchemy import Select, insert, text

from tests.listings.given import rows, soon

MANY = 4000
CATEGORIES = ["apartment", "studio", "loft", "house", "bungalow", "villa", "cabin", "lodge"]


@pytest.fixture(scope="module")
async def _many_listings(service: Service) -> AsyncIterator[None]:
    await service.clean(keep=["categories"])
    chance = random.Random(0)
    listings = [
        {
            "id": UUID(int=number),
            "host_id": UUID(int=chance.randrange(MANY // 4)),
            "status": chance.choice(["published"] * 9 + ["unpublished"]),
            "title": f"{chance.choice(['Quiet', 'Sunny', 'Old'])} place {number}",
            "description": " ".join(f"word{chance.randrange(2000)}" for _ in range(20)),
            "category": chance.choice(CATEGORIES),
            "city": f"City {chance.randrange(100)}",
            "country": chance.choice(["ET", "KE", "UG", "TZ"]),
            "latitude": 0.0,
            "longitude": 0.0,
            "timezone": "UTC",
            "currency": "ETB",
            "price_amount": chance.randrange(1, 1_000_000),
            "capacity": chance.randrange(1, 17),
            "published_at": datetime(2026, 1, 1, tzinfo=UTC) + timedelta(minutes=number),
        }
        for number in range(MANY)
    ]
    await rows(service, listings)
    nights = [
        {"listing_id": UUID(int=number), "night": soon(day), "sold_out": True, "sequence": 1}
        for number in range(0, MANY, 7)
        for day in range(5)
    ]
    async with service.database.unit_of_work() as session:
        await session.execute(insert(SoldOutNight), nights)
        await session.execute(text("ANALYZE sold_out_nights"))
    yield
    await service.clean(keep=["categories"])


@pytest.mark.usefixtures("_many_listings")
@pytest.mark.parametrize(
    "filters",
    [
        {},
        {"sort": "price"},
        {"sort": "-price"},
        {"q": "word7"},
        {"q": "word7 quiet", "sort": "price"},
        {"q": "quiet", "category": "house"},
        {"category": "house"},
        {"category": "house", "sort": "price"},
        {"city": "CITY 42"},
        {"country": "KE"},
        {"min_price": 1000, "max_price": 9000},
        {"min_price": 1000, "max_price": 9000, "sort": "price"},
        {"guests": 16},
        {"guests": 2, "sort": "-price"},
        {"host_id": str(UUID(int=42))},
        {"check_in": str(soon(2)), "check_out": str(soon(4))},
        {"city": "City 42", "check_in": str(soon(2)), "check_out": str(soon(4)), "max_price": 500_000, "guests": 2},
    ],
    ids=lambda filters: " ".join(filters) or "no filter",
)
async def test_no_search_reads_the_whole_table(service: Service, filters: dict[str, Any]) -> None:
    query = SearchQuery.model_validate(filters)

    plan = await explain(service, queries.search(query).limit(21))

    scans = [node for node in nodes(plan) if node.get("Relation Name") == "listings"]
    assert scans
    assert not [node for node in scans if node["Node Type"] == "Seq Scan"], plan


async def explain(service: Service, statement: Select[Any]) -> dict[str, Any]:
    """The plan that PostgreSQL makes for the statement as the service sends it."""
    compiled = statement.compile(dialect=service.database.engine.dialect)
    values = [compiled.params[name] for name in compiled.positiontup or []]
    async with service.database.engine.connect() as connection:
        driver: Any = (await connection.get_raw_connection()).driver_connection
        (answer,) = await driver.fetch(f"EXPLAIN (FORMAT JSON) {compiled}", *values)
    plan: dict[str, Any] = answer[0][0]["Plan"]
    return plan


def nodes(plan: dict[str, Any]) -> list[dict[str, Any]]:
    """The plan's nodes, flat."""
    return [plan, *(node for child in plan.get("Plans", []) for node in nodes(child))]
