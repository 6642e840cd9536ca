"""A search that forgives typing errors and ranks by words; facets and totals; amenities; orders by rating."""

from datetime import timedelta
from typing import Any

import httpx
import pytest
from nexus_kit.testing import Service
from nexus_listings.listings.models import Listing
from nexus_listings.nights import service as nights
from nexus_listings.nights.models import SoldOutNight
from nexus_listings.search import service as search
from nexus_listings.search.models import Lexeme
from sqlalchemy import func, insert, select, text, update

from tests.listings.given import API, a_listing, change, nights_change, soon, titles


@pytest.mark.parametrize(
    ("words", "found"),
    [
        ("hosue", ["Quiet house"]),  # two swapped
        ("huse", ["Quiet house"]),  # one left out
        ("houuse", ["Quiet house"]),  # one too many
        ("hoise", ["Quiet house"]),  # one mistaken
        ("quiet hosue", ["Quiet house"]),
        ("hosue -quiet", []),
        ('"quiet hosue"', ["Quiet house"]),
        ("lake hosue", []),
        ("adis abeba", ["Quiet house"]),  # in the city
        ("accomodatoin", ["Accommodation by the water"]),  # a long word may have two errors
        ("watre", ["Accommodation by the water"]),
        ("ጐጆ", ["ጐጆ ቤት"]),
        ("zebra", []),
        ("hut", []),  # of a short word another word is made too easily
    ],
)
async def test_typing_errors_are_forgiven(
    client: httpx.AsyncClient, host: httpx.AsyncClient, words: str, found: list[str]
) -> None:
    await a_listing(host, title="Quiet house", description="A place.", city="Addis Ababa")
    await a_listing(host, title="Accommodation by the water", description="A place.", city="Gondar")
    await a_listing(host, title="ጐጆ ቤት", description="A place.", city="Gondar")
    await a_listing(host, title="Hat", description="A place.", city="Gondar")

    assert await titles(client, q=words) == found


async def test_a_word_that_some_listing_has_is_no_typing_error(
    client: httpx.AsyncClient, host: httpx.AsyncClient
) -> None:
    await a_listing(host, title="Lake", description="A place.")
    early = await a_listing(host, title="Early", description="A place.")
    assert await titles(client, q="late") == ["Lake"]

    await change(host, early["id"], title="Late checkout")

    assert await titles(client, q="late") == ["Late checkout"]


async def test_words_that_nobody_uses_any_more_are_forgotten(
    service: Service, client: httpx.AsyncClient, host: httpx.AsyncClient
) -> None:
    await a_listing(host, title="Lake", description="A place.")
    late = await a_listing(host, title="Late", description="A place.")
    await host.delete(f"{API}/listings/{late['id']}")

    async with service.database.unit_of_work() as session:
        await session.execute(text("INSERT INTO lexemes (word, misspellings) VALUES ('lake', '{lake}')"))
        await search.prune_words(session)
        left = (await session.scalars(select(Lexeme.word))).all()

    assert "late" not in left
    assert left.count("lake") == 1
    await service.cache.flushdb()
    assert await titles(client, q="late") == ["Lake"]


async def test_mistyped_words_mean_the_same_on_every_page(client: httpx.AsyncClient, host: httpx.AsyncClient) -> None:
    for number in range(3):
        await a_listing(host, title=f"House {number}")
    first = (await client.get(f"{API}/listings", params={"q": "hosue", "limit": 2})).json()

    await a_listing(host, title="Hosue")  # now some listing has the word
    rest = await client.get(f"{API}/listings", params={"q": "hosue", "limit": 2, "cursor": first["next_cursor"]})

    assert [card["title"] for card in first["items"] + rest.json()["items"]] == ["House 2", "House 1", "House 0"]


async def test_title_counts_more_than_description_and_description_more_than_city(
    client: httpx.AsyncClient, host: httpx.AsyncClient
) -> None:
    await a_listing(host, title="Gondar castle", description="A place.", city="Axum")
    await a_listing(host, title="Third", description="A place.", city="Gondar")
    await a_listing(host, title="Second", description="Near Gondar.", city="Axum")

    assert await titles(client, q="gondar") == ["Gondar castle", "Second", "Third"]
    assert await titles(client, q="-castle gondar") == ["Second", "Third"]


@pytest.mark.parametrize("query", ["amenities=pool,wifi", "amenities=wifi&amenities=pool", "amenities=wifi,pool,wifi"])
async def test_a_listing_must_have_all_amenities_however_they_are_written(
    client: httpx.AsyncClient, host: httpx.AsyncClient, query: str
) -> None:
    await a_listing(host, title="Both", amenities=["wifi", "pool", "gym"])
    await a_listing(host, title="One", amenities=["wifi"])

    answer = await client.get(f"{API}/listings?{query}")

    assert [card["title"] for card in answer.json()["items"]] == ["Both"]


async def test_the_best_rated_come_first_and_those_nobody_rated_last(
    service: Service, client: httpx.AsyncClient, host: httpx.AsyncClient
) -> None:
    for title, rating, reviews in (("Good", 4.5, 9), ("Better known", 4.5, 10), ("Best", 5, 1), ("New", None, 0)):
        listing = await a_listing(host, title=title)
        async with service.database.unit_of_work() as session:
            is_it = Listing.id == listing["id"]
            await session.execute(update(Listing).where(is_it).values(rating=rating, reviews=reviews))
    await service.cache.flushdb()

    assert await titles(client, sort="rating") == ["Best", "Better known", "Good", "New"]


async def test_facets_say_what_the_next_filter_would_leave(client: httpx.AsyncClient, host: httpx.AsyncClient) -> None:
    for category, amount, amenities in (
        ("house", 1000, ["wifi"]),
        ("bungalow", 2000, ["wifi", "pool"]),
        ("villa", 3000, ["pool"]),
    ):
        await a_listing(host, category=category, price={"amount": amount, "currency": "ETB"}, amenities=amenities)

    async def facets(**filters: Any) -> dict[str, Any]:
        answer = await client.get(f"{API}/listings", params={**filters, "include": "facets"})
        found: dict[str, Any] = answer.json()["facets"]
        return found

    def counts(facet: list[dict[str, Any]]) -> dict[str, int]:
        return {each["value"]: each["count"] for each in facet}

    houses = await facets(category="house")
    assert counts(houses["categories"]) == {"house": 2, "bungalow": 1, "villa": 1}  # not its own filter
    assert counts(houses["amenities"]) == {"wifi": 2, "pool": 1}
    assert [bar["count"] for bar in houses["prices"]] == [1, 1]
    with_pool = await facets(amenities="pool", max_price=2000)
    assert counts(with_pool["categories"]) == {"house": 1, "bungalow": 1}
    assert counts(with_pool["amenities"]) == {"pool": 1, "wifi": 1}
    lows = [bar["low"]["amount"] for bar in with_pool["prices"]]
    assert (len(lows), lows[0], with_pool["prices"][-1]["high"]["amount"]) == (2, 2000, 3000)
    assert with_pool["exact"] is True
    assert await facets(guests=100) == {"categories": [], "amenities": [], "prices": [], "exact": True}


async def test_a_total_is_counted_on_request_also_on_a_page_that_began_without(
    client: httpx.AsyncClient, host: httpx.AsyncClient
) -> None:
    for _ in range(3):
        await a_listing(host)

    first = (await client.get(f"{API}/listings", params={"limit": 2})).json()
    second = await client.get(f"{API}/listings?limit=2&include=total,facets&cursor={first['next_cursor']}")

    assert "total" not in first
    assert second.json()["total"] == {"count": 3, "exact": True}
    assert len(second.json()["items"]) == 1


async def test_nights_long_past_are_forgotten(
    service: Service, client: httpx.AsyncClient, host: httpx.AsyncClient
) -> None:
    listing = await a_listing(host)
    old = [{"listing_id": listing["id"], "night": soon(-days), "sold_out": True, "sequence": 1} for days in (2, 30)]
    async with service.database.unit_of_work() as session:
        await session.execute(insert(SoldOutNight), old)
    await nights_change(service, listing["id"], sold_out=[soon(1)])

    async with service.database.unit_of_work() as session:
        await nights.prune(session)
        earliest = await session.scalar(select(func.min(SoldOutNight.night)))

    assert earliest == soon(0) - timedelta(days=2)
