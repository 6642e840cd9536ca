"""A search with dates: the host's rules, the price of the stay, dates that may shift, and why a listing is left out."""

from datetime import date, timedelta
from typing import Any

import httpx
import pytest
from nexus_kit.testing import Service
from nexus_listings.listings.models import Listing
from sqlalchemy import update

from tests.listings.given import API, a_listing, nights_change, soon, titles

FIRST = soon(40)


def money(amount: int) -> dict[str, Any]:
    """In the marketplace's currency."""
    return {"amount": amount, "currency": "ETB"}


def rule(first: int, last: int, **terms: Any) -> dict[str, Any]:
    """What is different from so many days after `FIRST` to so many."""
    return {"first_night": str(FIRST + timedelta(first)), "last_night": str(FIRST + timedelta(last)), **terms}


def stay(first: int, nights: int) -> dict[str, str]:
    """The same as parameters."""
    return {"check_in": str(FIRST + timedelta(first)), "check_out": str(FIRST + timedelta(first + nights))}


async def search(client: httpx.AsyncClient, **filters: Any) -> dict[str, Any]:
    """The whole answer."""
    answer = await client.get(f"{API}/listings", params=filters)
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


async def test_the_price_asked_for_is_that_of_the_nights(client: httpx.AsyncClient, host: httpx.AsyncClient) -> None:
    discount = [{"nights": 4, "percent": 25}]
    rates = {"rules": [rule(0, 1, price=money(3000))]}
    await a_listing(host, title="Dear days", price=money(1000), rates=rates, length_discounts=discount)
    await a_listing(host, title="Plain", price=money(1800))

    (dear, plain) = (await search(client, **stay(0, 3), sort="-price"))["items"]
    assert (dear["title"], plain["title"]) == ("Dear days", "Plain")
    assert dear["stay"] == {**stay(0, 3), "nightly": money(2333), "accommodation": money(7000)}
    assert dear["price"] == money(1000)
    assert await titles(client, **stay(0, 4), sort="price") == ["Dear days", "Plain"]  # 6000 for four nights
    assert await titles(client, **stay(0, 3), max_price=2332) == ["Plain"]
    assert await titles(client, **stay(0, 3), min_price=2333) == ["Dear days"]
    assert await titles(client, max_price=1000) == ["Dear days"]  # without dates: the usual price


@pytest.mark.parametrize(
    ("changes", "nights", "reason"),
    [
        ({"rates": {"rules": [rule(0, 0, closed_to_arrival=True)]}}, 2, "closed_to_arrival"),
        ({"rates": {"rules": [rule(2, 2, closed_to_departure=True)]}}, 2, "closed_to_departure"),
        ({"rates": {"rules": [rule(0, 0, min_nights=3)]}}, 2, "minimum_stay"),
        ({"rates": {"rules": [rule(0, 0, max_nights=1)]}}, 2, "maximum_stay"),
        ({"min_nights": 3}, 2, "minimum_stay"),
        ({"max_nights": 1}, 2, "maximum_stay"),
        ({"advance_notice_hours": 41 * 24}, 2, "advance_notice"),
        ({"booking_window_days": 38}, 2, "booking_window"),
    ],
)
async def test_the_hosts_rules_leave_a_listing_out_and_say_why(
    client: httpx.AsyncClient, host: httpx.AsyncClient, changes: dict[str, Any], nights: int, reason: str
) -> None:
    await a_listing(host, title="Strict", **changes)
    await a_listing(host, title="Easy")

    answer = await search(client, **stay(0, nights), explain_unavailable=True)

    assert [card["title"] for card in answer["items"]] == ["Easy"]
    assert [(card["title"], card["reason"]) for card in answer["unavailable"]] == [("Strict", reason)]


async def test_only_what_the_dates_alone_exclude_is_explained(
    service: Service, client: httpx.AsyncClient, host: httpx.AsyncClient
) -> None:
    for title, capacity, price in (("Sold out", 4, 1000), ("Too small", 1, 1000), ("Too dear", 4, 9000)):
        listing = await a_listing(host, title=title, capacity=capacity, price=money(price))
        await nights_change(service, listing["id"], sold_out=[FIRST])

    answer = await search(client, **stay(0, 2), guests=2, max_price=2000, explain_unavailable=True)
    shifted = await search(client, **stay(0, 2), guests=2, flexible_days=1, explain_unavailable=True)

    assert answer["items"] == []
    assert [(card["title"], card["reason"]) for card in answer["unavailable"]] == [("Sold out", "sold_out")]
    assert "unavailable" not in await search(client, **stay(0, 2))
    assert (len(shifted["items"]), shifted["unavailable"]) == (2, [])


async def test_flexible_dates_find_the_nearest_stay_that_fits_and_list_them_all(
    service: Service, client: httpx.AsyncClient, host: httpx.AsyncClient
) -> None:
    listing = await a_listing(host, price=money(1000), rates={"rules": [rule(2, 9, price=money(1500))]})
    await nights_change(service, listing["id"], sold_out=[FIRST, FIRST - timedelta(days=2)])

    assert await titles(client, **stay(0, 2)) == []
    (card,) = (await search(client, **stay(0, 2), flexible_days=2))["items"]

    def begins(days: int) -> date:
        return FIRST + timedelta(days=days)

    assert card["stay"] == {**stay(1, 2), "nightly": money(1250), "accommodation": money(2500)}
    assert [(each["check_in"], each["nightly"]) for each in card["stays"]] == [
        (str(begins(1)), money(1250)),
        (str(begins(2)), money(1500)),
    ]
    (cheap,) = (await search(client, **stay(0, 2), flexible_days=2, min_price=1400))["items"]
    assert cheap["stay"]["check_in"] == str(begins(2))


async def test_a_zone_that_the_database_does_not_know_breaks_no_search(
    service: Service, client: httpx.AsyncClient, host: httpx.AsyncClient
) -> None:
    await a_listing(host, title="Somewhere")
    async with service.database.unit_of_work() as session:
        await session.execute(update(Listing).values(timezone="Nowhere/Land"))
    await service.cache.flushdb()

    assert await titles(client, check_in=str(soon(2)), check_out=str(soon(4))) == ["Somewhere"]
