"""A user keeps listings and finds them again: theirs alone, each once, and not without end."""

import asyncio
from uuid import UUID, uuid4

import httpx
import pytest
from nexus_kit.testing import Service, signed_in
from nexus_listings.favourites.models import Favourite
from nexus_listings.favourites.service import MOST
from sqlalchemy import func, insert, select

from tests.listings.given import API, a_draft, a_listing, rows, user_is_deleted

KEPT = f"{API}/favourites"


async def kept_titles(user: httpx.AsyncClient) -> list[str | None]:
    """The list, with None for what has no card."""
    answer = await user.get(KEPT)
    assert answer.status_code == 200, answer.text
    return [item["listing"] and item["listing"]["title"] for item in answer.json()["items"]]


async def test_the_newest_favourite_comes_first_with_the_card_of_a_search(
    client: httpx.AsyncClient, host: httpx.AsyncClient, guest: httpx.AsyncClient
) -> None:
    first, second = await a_listing(host, title="First"), await a_listing(host, title="Second")

    for listing in (first, second):
        assert (await guest.put(f"{KEPT}/{listing['id']}")).status_code == 204

    items = (await guest.get(KEPT)).json()["items"]
    assert [item["listing_id"] for item in items] == [second["id"], first["id"]]
    assert items[0]["kept_at"].endswith("Z")
    assert [item["listing"] for item in items] == (await client.get(f"{API}/listings")).json()["items"]


async def test_keeping_it_again_changes_nothing(host: httpx.AsyncClient, guest: httpx.AsyncClient) -> None:
    first, second = await a_listing(host, title="First"), await a_listing(host, title="Second")

    for listing in (first, second, first):
        assert (await guest.put(f"{KEPT}/{listing['id']}")).status_code == 204

    assert await kept_titles(guest) == ["Second", "First"]


async def test_what_is_dropped_is_gone_however_often(host: httpx.AsyncClient, guest: httpx.AsyncClient) -> None:
    listing = await a_listing(host)
    await guest.put(f"{KEPT}/{listing['id']}")

    for _ in range(2):
        assert (await guest.delete(f"{KEPT}/{listing['id']}")).status_code == 204

    assert await kept_titles(guest) == []
    assert (await guest.delete(f"{KEPT}/{uuid4()}")).status_code == 204


async def test_a_list_is_read_in_pages_and_by_its_owner_alone(
    host: httpx.AsyncClient, guest: httpx.AsyncClient, service: Service
) -> None:
    wanted = [(await a_listing(host, title=f"Place {number}"))["id"] for number in range(5)]
    for listing_id in wanted:
        await guest.put(f"{KEPT}/{listing_id}")

    pages = [(await guest.get(KEPT, params={"limit": 2})).json()]
    while cursor := pages[-1]["next_cursor"]:
        pages.append((await guest.get(KEPT, params={"limit": 2, "cursor": cursor})).json())

    assert [[item["listing_id"] for item in page["items"]] for page in pages] == [
        wanted[:2:-1],
        wanted[2:0:-1],
        wanted[:1],
    ]
    cursor = pages[0]["next_cursor"]
    async with service.client(**signed_in()) as other:
        assert (await other.get(KEPT)).json()["items"] == []
        assert (await other.get(KEPT, params={"cursor": cursor})).json()["code"] == "cursor_mismatch"


async def test_a_listing_that_is_not_published_now_stays_in_the_list_without_its_card(
    host: httpx.AsyncClient, guest: httpx.AsyncClient
) -> None:
    listing = await a_listing(host, title="Here and gone")
    await guest.put(f"{KEPT}/{listing['id']}")

    await host.post(f"{API}/listings/{listing['id']}/unpublish")
    while_hidden = await kept_titles(guest)
    await host.post(f"{API}/listings/{listing['id']}/publish")

    assert while_hidden == [None]
    assert await kept_titles(guest) == ["Here and gone"]


async def test_only_what_one_may_read_can_be_kept(
    client: httpx.AsyncClient, host: httpx.AsyncClient, guest: httpx.AsyncClient
) -> None:
    draft = await a_draft(host)

    assert (await guest.put(f"{KEPT}/{draft['id']}")).status_code == 404
    assert (await guest.put(f"{KEPT}/{uuid4()}")).status_code == 404
    assert (await host.put(f"{KEPT}/{draft['id']}")).status_code == 204
    assert (await client.put(f"{KEPT}/{draft['id']}")).status_code == 401
    assert (await client.get(KEPT)).status_code == 401


async def test_the_last_free_place_is_taken_once(
    service: Service, host: httpx.AsyncClient, host_id: UUID, guest: httpx.AsyncClient, guest_id: UUID
) -> None:
    kept = await a_listing(host)
    await guest.put(f"{KEPT}/{kept['id']}")
    more = [UUID(int=number) for number in range(MOST - 2)]
    await rows(service, [{"id": each, "host_id": host_id, "title": "One more", "currency": "ETB"} for each in more])
    async with service.database.unit_of_work() as session:
        await session.execute(insert(Favourite), [{"user_id": guest_id, "listing_id": each} for each in more])
    racing = [(await a_listing(host, title=f"Racer {number}"))["id"] for number in range(6)]

    answers = await asyncio.gather(*(guest.put(f"{KEPT}/{listing_id}") for listing_id in racing))

    assert sorted(answer.status_code for answer in answers) == [204] + [409] * 5
    assert {answer.json()["code"] for answer in answers if answer.status_code == 409} == {"too_many_favourites"}
    assert await count(service, guest_id) == MOST
    assert (await guest.put(f"{KEPT}/{kept['id']}")).status_code == 204, "it is kept already"


async def test_favourites_go_with_their_owner_and_do_not_come_back(
    service: Service, host: httpx.AsyncClient, guest: httpx.AsyncClient, guest_id: UUID
) -> None:
    listing = await a_listing(host)
    for user in (guest, host):
        await user.put(f"{KEPT}/{listing['id']}")

    await user_is_deleted(service, guest_id)

    assert await count(service, guest_id) == 0
    assert await kept_titles(host) == [listing["title"]]
    assert (await guest.put(f"{KEPT}/{listing['id']}")).status_code == 410, "their token lives some seconds more"
    assert await count(service, guest_id) == 0


@pytest.mark.parametrize("address", ["not-an-id", "%00"])
async def test_what_is_no_id_is_refused(guest: httpx.AsyncClient, address: str) -> None:
    assert (await guest.put(f"{KEPT}/{address}")).status_code == 422


async def count(service: Service, user_id: UUID) -> int:
    """How many favourites the table holds for this user."""
    async with service.database.unit_of_work() as session:
        return int(await session.scalar(select(func.count()).where(Favourite.user_id == user_id)) or 0)
