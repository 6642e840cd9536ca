"""The public search: each filter alone, the orders, the pages, and the dates that bookings reports as full."""

from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest
from nexus_kit.testing import Service

from tests.listings.given import API, a_draft, a_listing, nights_change, soon, titles, user_is_deleted


async def test_a_card_is_light_and_complete(client: httpx.AsyncClient, host: httpx.AsyncClient) -> None:
    listing = await a_listing(host)

    answer = await client.get(f"{API}/listings")

    shown = ("id", "host_id", "title", "category", "city", "country", "latitude", "longitude", "price", "capacity")
    card = {name: listing[name] for name in (*shown, "instant_book", "published_at")}
    card |= {"rating": None, "reviews": 0, "cover": None}
    assert answer.json() == {"items": [card], "next_cursor": None}


async def test_only_published_listings_are_found(client: httpx.AsyncClient, host: httpx.AsyncClient) -> None:
    await a_draft(host, title="Draft")
    hidden = await a_listing(host, title="Unpublished")
    await host.post(f"{API}/listings/{hidden['id']}/unpublish")
    gone = await a_listing(host, title="Archived")
    await host.delete(f"{API}/listings/{gone['id']}")
    await a_listing(host, title="Published")

    assert await titles(client) == ["Published"]


@pytest.mark.parametrize(
    ("words", "found"),
    [
        ("lake", ["Lake house", "Café studio"]),  # the title counts more than the description
        ("cafe", ["Café studio"]),
        ("CAFÉ", ["Café studio"]),
        ("houses", ["Lake house"]),  # English endings do not matter
        ("the lake house", ["Lake house"]),
        ("bahir", ["Lake house"]),
        ('"view of the lake"', ["Café studio"]),
        ("lake -studio", ["Lake house"]),
        ("lake mountain", []),
        ("!!! & | ( :*", []),
    ],
)
async def test_words_are_found_in_title_description_and_city(
    client: httpx.AsyncClient, host: httpx.AsyncClient, words: str, found: list[str]
) -> None:
    await a_listing(host, title="Café studio", description="With a view of the lake.", city="Gondar")
    await a_listing(host, title="Lake house", description="Quiet.", city="Bahir Dar")

    assert await titles(client, q=words) == found


@pytest.mark.parametrize(
    ("filters", "found"),
    [
        ({"category": "house"}, {"House", "Bungalow"}),
        ({"category": "bungalow"}, {"Bungalow"}),
        ({"category": "boat"}, set()),
        ({"city": "addis ababa"}, {"House"}),
        ({"city": "sao paulo"}, {"Villa"}),
        ({"country": "BR"}, {"Villa"}),
        ({"min_price": 2000}, {"Bungalow", "Villa"}),
        ({"max_price": 2000}, {"House", "Bungalow"}),
        ({"min_price": 2000, "max_price": 2000}, {"Bungalow"}),
        ({"guests": 3}, {"Bungalow", "Villa"}),
        ({"category": "house", "guests": 3, "country": "ET"}, {"Bungalow"}),
        ({"host_id": "mine"}, {"House", "Bungalow", "Villa"}),
        ({"host_id": str(uuid4())}, set()),
    ],
)
async def test_a_listing_must_pass_every_filter(
    client: httpx.AsyncClient, host: httpx.AsyncClient, host_id: UUID, filters: dict[str, Any], found: set[str]
) -> None:
    await a_listing(host, title="House", city="Addis Ababa", price={"amount": 1000, "currency": "ETB"}, capacity=2)
    await a_listing(host, title="Bungalow", category="bungalow", price={"amount": 2000, "currency": "ETB"}, capacity=3)
    await a_listing(
        host,
        title="Villa",
        category="villa",
        city="São Paulo",
        country="BR",
        price={"amount": 3000, "currency": "ETB"},
        capacity=4,
    )
    if "host_id" in filters:
        filters |= {"host_id": filters["host_id"].replace("mine", str(host_id))}

    assert set(await titles(client, **filters)) == found


@pytest.mark.parametrize(
    ("sort", "order"),
    [
        ({}, ["Third", "Second", "First"]),
        ({"sort": "newest"}, ["Third", "Second", "First"]),
        ({"sort": "price"}, ["Second", "First", "Third"]),
        ({"sort": "-price"}, ["Third", "First", "Second"]),
        ({"q": "first second third", "sort": "relevance"}, []),
    ],
)
async def test_results_come_in_the_order_asked_for(
    client: httpx.AsyncClient, host: httpx.AsyncClient, sort: dict[str, str], order: list[str]
) -> None:
    for title, amount in (("First", 200), ("Second", 100), ("Third", 300)):
        await a_listing(host, title=title, price={"amount": amount, "currency": "ETB"})

    assert await titles(client, **sort) == order


async def test_a_listing_is_left_out_when_it_is_sold_out_on_one_of_the_nights(
    service: Service, client: httpx.AsyncClient, host: httpx.AsyncClient
) -> None:
    listing = await a_listing(host)
    await nights_change(service, listing["id"], sold_out=[soon(12)])

    async def found(first: int, last: int) -> bool:
        return bool(await titles(client, check_in=str(soon(first)), check_out=str(soon(last))))

    assert not await found(12, 13)
    assert not await found(10, 15)
    assert await found(10, 12)  # the day of departure is not a night
    assert await found(13, 15)


async def test_a_stay_too_short_or_too_long_for_a_listing_does_not_find_it(
    client: httpx.AsyncClient, host: httpx.AsyncClient
) -> None:
    await a_listing(host, min_nights=2, max_nights=4)

    found = [
        await titles(client, check_in=str(soon(1)), check_out=str(soon(1) + timedelta(days=nights)))
        for nights in range(1, 6)
    ]

    assert [bool(each) for each in found] == [False, True, True, True, False]


async def test_the_newest_word_on_a_night_wins_in_whatever_order_the_facts_arrive(
    service: Service, client: httpx.AsyncClient, host: httpx.AsyncClient
) -> None:
    listing = await a_listing(host)
    night = {"check_in": str(soon(5)), "check_out": str(soon(6))}

    await nights_change(service, listing["id"], freed=[soon(5)], sequence=3)
    await nights_change(service, listing["id"], sold_out=[soon(5), soon(7)], sequence=2)

    assert await titles(client, **night) == [listing["title"]]
    assert await titles(client, check_in=str(soon(7)), check_out=str(soon(8))) == []
    await nights_change(service, listing["id"], sold_out=[soon(5)], sequence=4)
    assert await titles(client, **night) == []


async def test_nights_may_be_reported_of_a_listing_that_nobody_knows(
    service: Service, client: httpx.AsyncClient
) -> None:
    await nights_change(service, uuid4(), sold_out=[soon(1)], freed=[soon(2)])


async def test_the_listings_of_a_deleted_user_are_no_longer_found(
    service: Service, client: httpx.AsyncClient, host: httpx.AsyncClient, host_id: UUID
) -> None:
    await a_listing(host, title="Published")
    await a_draft(host, title="Draft")
    assert await titles(client) == ["Published"]

    await user_is_deleted(service, host_id)

    assert await titles(client) == []
    mine = (await host.get(f"{API}/listings/mine")).json()["items"]
    assert [each["status"] for each in mine] == ["archived", "archived"]


async def test_pages_follow_each_other_while_listings_come_and_go(
    client: httpx.AsyncClient, host: httpx.AsyncClient
) -> None:
    listings = [await a_listing(host, title=f"Number {number}") for number in range(6)]

    first = (await client.get(f"{API}/listings", params={"limit": 3})).json()
    await a_listing(host, title="Newer than all")
    await host.delete(f"{API}/listings/{listings[2]['id']}")
    second = (await client.get(f"{API}/listings", params={"limit": 3, "cursor": first["next_cursor"]})).json()

    assert [card["title"] for card in first["items"]] == ["Number 5", "Number 4", "Number 3"]
    assert [card["title"] for card in second["items"]] == ["Number 1", "Number 0"]
    assert second["next_cursor"] is None


async def test_a_cursor_belongs_to_the_filters_it_was_made_with(
    client: httpx.AsyncClient, host: httpx.AsyncClient
) -> None:
    for _ in range(2):
        await a_listing(host)
    cursor = (await client.get(f"{API}/listings", params={"limit": 1})).json()["next_cursor"]

    other = await client.get(f"{API}/listings", params={"limit": 1, "cursor": cursor, "guests": 2})
    forged = await client.get(f"{API}/listings", params={"limit": 1, "cursor": cursor[:-4] + "AAAA"})

    assert (other.status_code, other.json()["code"]) == (400, "cursor_mismatch")
    assert (forged.status_code, forged.json()["code"]) == (400, "invalid_cursor")
