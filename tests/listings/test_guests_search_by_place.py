"""A search by place: around a point, in a box, in a polygon; and by distance."""

from typing import Any

import httpx
import pytest

from tests.listings.given import API, a_listing, titles

PLACES = {
    "Addis": (9.0108, 38.7613),
    "Airport": (8.9779, 38.7993),
    "Adama": (8.5400, 39.2700),
    "Suva": (-18.1416, 178.4419),
    "Apia": (-13.8333, -171.7667),
}


@pytest.fixture
async def _places(host: httpx.AsyncClient) -> None:
    for title, (latitude, longitude) in PLACES.items():
        await a_listing(host, title=title, latitude=latitude, longitude=longitude)


@pytest.mark.usefixtures("_places")
@pytest.mark.parametrize(
    ("filters", "found"),
    [
        ({"near": "9.0108,38.7613", "radius_km": 5}, ["Addis"]),
        ({"near": "9.0108,38.7613"}, ["Addis", "Airport"]),  # 25 km
        ({"near": "9.0108,38.7613", "radius_km": 100}, ["Addis", "Airport", "Adama"]),
        ({"near": "-16,-179.9", "radius_km": 1000}, ["Suva", "Apia"]),
        ({"near": "90,0", "radius_km": 9100}, ["Addis", "Airport", "Adama"]),
        ({"near": "0,0", "radius_km": 20015}, ["Adama", "Addis", "Airport", "Suva", "Apia"]),
    ],
)
async def test_the_nearest_come_first(client: httpx.AsyncClient, filters: dict[str, Any], found: list[str]) -> None:
    assert set(await titles(client, **filters)) == set(found)
    if "90" not in filters["near"] and filters.get("radius_km") != 20015:
        assert await titles(client, **filters, sort="distance") == found


@pytest.mark.usefixtures("_places")
async def test_a_card_says_how_far_it_is(client: httpx.AsyncClient) -> None:
    answer = await client.get(f"{API}/listings", params={"near": "9.0108,38.7613", "sort": "distance"})

    assert [card["distance_km"] for card in answer.json()["items"]] == [0.0, pytest.approx(5.555, abs=0.02)]


@pytest.mark.usefixtures("_places")
@pytest.mark.parametrize(
    ("bbox", "found"),
    [
        ("38.7,8.9,38.8,9.1", {"Addis", "Airport"}),
        ("38.7613,9.0108,39,10", {"Addis"}),  # its sides belong to it
        ("-180,-90,180,90", set(PLACES)),
        ("170,-20,-170,-10", {"Suva", "Apia"}),  # across the 180th meridian
        ("-170,-20,170,20", {"Addis", "Airport", "Adama"}),
    ],
)
async def test_a_box_holds_what_lies_in_it(client: httpx.AsyncClient, bbox: str, found: set[str]) -> None:
    assert set(await titles(client, bbox=bbox)) == found


@pytest.mark.usefixtures("_places")
async def test_a_polygon_holds_what_lies_in_it_and_not_all_of_its_box(client: httpx.AsyncClient) -> None:
    triangle = "9.2,38.6;9.2,39.4;8.4,38.6"
    around_addis_alone = "9.2,38.6;9.2,38.79;8.9,38.79;8.9,38.6;9.2,38.6"

    assert set(await titles(client, polygon=triangle)) == {"Addis", "Airport"}
    assert await titles(client, polygon=around_addis_alone) == ["Addis"]
