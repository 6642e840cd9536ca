"""The category tree: what the first migration planted, with counts that include what is below."""

from typing import Any

import httpx

from tests.listings.given import API, a_draft, a_listing


async def tree(client: httpx.AsyncClient) -> dict[str, dict[str, Any]]:
    """The top of the tree by slug."""
    return {node["slug"]: node for node in (await client.get(f"{API}/categories")).json()["items"]}


async def test_the_usual_kinds_of_places_are_there(client: httpx.AsyncClient) -> None:
    top = await tree(client)

    assert list(top)[:3] == ["apartment", "house", "villa"]
    assert {"cabin", "hotel-room", "guest-house"} <= top.keys()
    assert [child["slug"] for child in top["apartment"]["children"]] == ["studio", "loft", "serviced-apartment"]
    assert top["house"] | {"children": []} == {"slug": "house", "name": "House", "count": 0, "children": []}


async def test_counts_are_of_published_listings_in_the_whole_subtree(
    client: httpx.AsyncClient, host: httpx.AsyncClient
) -> None:
    await a_listing(host, category="house")
    await a_listing(host, category="bungalow")
    await a_draft(host, category="house")

    top = await tree(client)

    counts = {child["slug"]: child["count"] for child in top["house"]["children"]}
    assert top["house"]["count"] == 2
    assert counts == {"townhouse": 0, "bungalow": 1, "tukul": 0}
    assert top["villa"]["count"] == 0


async def test_counts_follow_every_move(client: httpx.AsyncClient, host: httpx.AsyncClient) -> None:
    listing = await a_listing(host, category="villa")
    assert (await tree(client))["villa"]["count"] == 1

    await host.post(f"{API}/listings/{listing['id']}/unpublish")

    assert (await tree(client))["villa"]["count"] == 0
