"""PostgreSQL answers every search by the index that is meant for it: it never reads the whole table of listings."""

from collections.abc import AsyncIterator
from typing import Any
from uuid import UUID

import pytest
from nexus_kit.testing import Service
from nexus_listings.amenities import Amenity
from nexus_listings.asked import Meaning, take_apart
from nexus_listings.meanings import MEANING
from nexus_listings.search import queries
from nexus_listings.search.schemas import SearchQuery

from tests.listings import crowd
from tests.listings.given import soon

MANY = 20_000
STAY = {"check_in": str(soon(20)), "check_out": str(soon(24))}
LATITUDE, LONGITUDE = crowd.center(0)
HERE = f"{LATITUDE},{LONGITUDE}"
BOX = f"{LONGITUDE - 0.01},{LATITUDE - 0.01},{LONGITUDE + 0.01},{LATITUDE + 0.01}"
TRIANGLE = f"{LATITUDE},{LONGITUDE};{LATITUDE + 0.02},{LONGITUDE};{LATITUDE},{LONGITUDE + 0.02}"
RARE = crowd.WORDS[4000]


@pytest.fixture(scope="module")
async def _many_listings(service: Service) -> AsyncIterator[None]:
    await service.clean(keep=["categories"])
    url = service.database.engine.url.set(drivername="postgresql")
    await crowd.fill(url.render_as_string(hide_password=False), MANY)
    yield
    await service.clean(keep=["categories"])


@pytest.mark.usefixtures("_many_listings")
@pytest.mark.parametrize(
    ("filters", "index"),
    [
        ({}, "newest"),
        ({"sort": "price"}, "price"),
        ({"sort": "-price"}, "price"),
        ({"sort": "rating"}, "rating"),
        ({"q": RARE}, "title text words"),
        ({"q": "house"}, "title newest"),
        ({"q": f"{RARE} quiet", "sort": "price"}, "words"),
        ({"q": RARE, "category": "house"}, "title text words"),
        ({"category": "boat"}, "category"),
        ({"category": "house", "sort": "price"}, "price"),
        ({"city": "CITY 0"}, "city"),
        ({"city": "City 60", "sort": "price"}, "city"),
        ({"country": "KE"}, "country newest"),
        ({"min_price": 100_000, "max_price": 100_500}, "price"),
        ({"guests": 16}, "newest capacity"),
        ({"amenities": [Amenity.NIGHT_GUARD, Amenity.LIFT, Amenity.COT]}, "amenities"),
        ({"near": HERE, "radius_km": 1}, "cell"),
        ({"near": HERE, "sort": "distance"}, "globe"),
        ({"bbox": BOX}, "cell"),
        ({"polygon": TRIANGLE}, "cell"),
        (STAY, "newest"),
        (STAY | {"flexible_days": 3}, "newest"),
        (STAY | {"sort": "price"}, "lowest_price"),
        (STAY | {"sort": "-price"}, "highest_price"),
        (STAY | {"min_price": 100_000, "max_price": 100_200}, "lowest_price highest_price newest"),
        (STAY | {"city": "City 0", "max_price": 500_000, "guests": 2}, "city"),
        (STAY | {"bbox": BOX}, "cell"),
        (STAY | {"near": HERE, "radius_km": 1}, "cell"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, dict) else None,
)
async def test_a_search_goes_by_its_index(service: Service, filters: dict[str, Any], index: str) -> None:
    query = SearchQuery.model_validate(filters)

    plan = await explain(service, query)

    scans = [node for node in nodes(plan) if node.get("Relation Name") == "listings"]
    assert scans
    assert not [node for node in scans if node["Node Type"] == "Seq Scan"], plan
    used = {node["Index Name"].removeprefix("ix_listings_published_") for node in nodes(plan) if "Index Name" in node}
    assert used & set(index.split()), plan


@pytest.mark.usefixtures("_many_listings")
async def test_the_listings_of_a_host_are_found_by_the_host(service: Service) -> None:
    plan = await explain(service, SearchQuery(host_id=UUID(int=42)))

    used = {node.get("Index Name") for node in nodes(plan)}
    assert used & {"ix_listings_host_id", "uq_listings_host_id_external_id"}


async def explain(service: Service, query: SearchQuery) -> dict[str, Any]:
    """The plan that PostgreSQL makes for the page as the service asks for it."""
    async with service.database.unit_of_work() as session:
        row = (await session.execute(MEANING, {"category": query.category, "q": query.q})).one()
        form, values = take_apart(query, Meaning(row.subtree, row.corrections))
        if form.by_price_of_stay:
            values["ceiling"] = await session.scalar(queries.reach(form), values)
        compiled = queries.page(form).compile(dialect=service.database.engine.dialect)
        given = compiled.params | values
        driver: Any = (await (await session.connection()).get_raw_connection()).driver_connection
        (answer,) = await driver.fetch(
            f"EXPLAIN (FORMAT JSON) {compiled}", *(given[name] for name in compiled.positiontup or [])
        )
    plan: dict[str, Any] = answer[0][0]["Plan"]
    return plan


def nodes(plan: dict[str, Any]) -> list[dict[str, Any]]:
    """The plan's nodes, flat."""
    return [plan, *(node for child in plan.get("Plans", []) for node in nodes(child))]
