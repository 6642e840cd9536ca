"""Clients show what a place can offer from the catalogue, and listings name nothing else."""

import httpx
from nexus_listings.amenities import Amenity, AmenityGroup

from tests.listings.given import API, a_draft


async def test_everybody_reads_all_of_it_in_groups(client: httpx.AsyncClient) -> None:
    answer = await client.get(f"{API}/amenities")

    groups = answer.json()["items"]
    assert answer.status_code == 200
    assert len(groups) == len(AmenityGroup)
    assert groups[1] == {
        "slug": "food",
        "label": "Kitchen and food",
        "amenities": [
            {"slug": "kitchen", "label": "Kitchen"},
            {"slug": "breakfast", "label": "Breakfast"},
            {"slug": "coffee_maker", "label": "Coffee maker"},
        ],
    }
    shown = [amenity["slug"] for group in groups for amenity in group["amenities"]]
    assert sorted(shown) == sorted(Amenity)


async def test_it_is_cached_and_revalidated(client: httpx.AsyncClient) -> None:
    first = await client.get(f"{API}/amenities")

    again = await client.get(f"{API}/amenities")
    known = await client.get(f"{API}/amenities", headers={"If-None-Match": first.headers["ETag"]})

    assert first.headers["Cache-Control"].startswith("public")
    assert again.headers["Cache-Status"].startswith("nexus-listings; hit")
    assert known.status_code == 304


async def test_a_listing_may_have_all_that_it_names(client: httpx.AsyncClient, host: httpx.AsyncClient) -> None:
    groups = (await client.get(f"{API}/amenities")).json()["items"]
    slugs = sorted(amenity["slug"] for group in groups for amenity in group["amenities"])

    draft = await a_draft(host, amenities=slugs)

    assert draft["amenities"] == slugs


def test_labels_are_told_apart() -> None:
    assert len({amenity.label for amenity in Amenity}) == len(Amenity)
    assert all(amenity.label[0].isupper() for amenity in Amenity)
