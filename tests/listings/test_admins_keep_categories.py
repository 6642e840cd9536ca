"""Admins add, rename, reorder, move and remove categories; it stays a tree, and nothing that is in use goes away."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
from nexus_kit.testing import Service, signed_in
from nexus_listings.categories.models import Category
from nexus_listings.categories.service import MOST_LEVELS
from sqlalchemy import func, insert, select, text

from tests.listings.given import API, COMPLETE, a_draft, a_listing, stuck

CATEGORIES = f"{API}/categories"
FIRST = {"If-Match": '"1"'}


@pytest.fixture
async def admin(client: httpx.AsyncClient, service: Service) -> AsyncIterator[httpx.AsyncClient]:
    """An admin, who leaves the tree to the next test as it was."""
    columns = Category.__table__.columns
    async with service.database.unit_of_work() as session:
        before = [
            row._asdict() for row in await session.execute(select(*columns).order_by(columns.parent.nulls_first()))
        ]
    async with service.client(**signed_in(roles=("user", "admin"))) as signed:
        yield signed
    await service.clean()
    async with service.database.unit_of_work() as session:
        await session.execute(insert(Category), before)


async def added(admin: httpx.AsyncClient, slug: str, **fields: Any) -> httpx.Response:
    """A category that was made."""
    answer = await admin.post(CATEGORIES, json={"slug": slug, "name": slug.title()} | fields)
    assert answer.status_code == 201, answer.text
    return answer


async def children(client: httpx.AsyncClient, slug: str) -> list[str]:
    """What the tree shows below a category at the top."""
    top = (await client.get(CATEGORIES)).json()["items"]
    return next([child["slug"] for child in node["children"]] for node in top if node["slug"] == slug)


async def test_a_new_category_is_a_leaf_behind_its_siblings(
    client: httpx.AsyncClient, admin: httpx.AsyncClient
) -> None:
    assert await children(client, "house") == ["townhouse", "bungalow", "tukul"]

    answer = await added(admin, "tiny-house", parent="house")

    expected = {"slug": "tiny-house", "name": "Tiny-House", "parent": "house", "position": 4}
    assert answer.json() == expected
    assert (answer.headers["Location"], answer.headers["ETag"]) == (f"{CATEGORIES}/tiny-house", '"1"')
    assert await children(client, "house") == ["townhouse", "bungalow", "tukul", "tiny-house"]
    read = await client.get(answer.headers["Location"])
    assert (read.json(), read.headers["ETag"]) == (expected, '"1"')


async def test_every_change_is_seen_by_the_next_reader(client: httpx.AsyncClient, admin: httpx.AsyncClient) -> None:
    address = f"{CATEGORIES}/tukul"
    before = (await client.get(address)).json()

    renamed = await admin.patch(address, json={"name": "Round house"}, headers=FIRST)
    after_name = (await client.get(address)).json()
    ordered = await admin.patch(address, json={"position": 0}, headers={"If-Match": '"2"'})
    after_position = await children(client, "house")
    moved = await admin.patch(address, json={"parent": None}, headers={"If-Match": '"3"'})
    after_move = (await client.get(CATEGORIES)).json()["items"]
    removed = await admin.delete(address)

    assert [answer.headers["ETag"] for answer in (renamed, ordered, moved)] == ['"2"', '"3"', '"4"']
    assert after_name == before | {"name": "Round house"} == renamed.json()
    assert after_position == ["tukul", "townhouse", "bungalow"]
    assert "tukul" in [node["slug"] for node in after_move]
    assert await children(client, "house") == ["townhouse", "bungalow"]
    assert (removed.status_code, (await client.get(address)).status_code) == (204, 404)


async def test_what_is_below_moves_too(
    client: httpx.AsyncClient, admin: httpx.AsyncClient, host: httpx.AsyncClient
) -> None:
    await a_listing(host, category="bungalow")

    await admin.patch(f"{CATEGORIES}/house", json={"parent": "villa"}, headers=FIRST)

    villa = next(node for node in (await client.get(CATEGORIES)).json()["items"] if node["slug"] == "villa")
    assert (villa["count"], [child["slug"] for child in villa["children"]]) == (1, ["house"])
    assert len((await client.get(f"{API}/listings", params={"category": "villa"})).json()["items"]) == 1


async def test_a_change_needs_the_present_version(admin: httpx.AsyncClient) -> None:
    address, body = f"{CATEGORIES}/villa", {"name": "Mansion"}

    without = await admin.patch(address, json=body)
    current = await admin.patch(address, json=body, headers=FIRST)
    stale = await admin.patch(address, json={"name": "Palace"}, headers=FIRST)
    same = await admin.patch(address, json=body, headers={"If-Match": '"2"'})

    assert (without.status_code, current.status_code, stale.status_code) == (428, 200, 412)
    assert (same.status_code, same.headers["ETag"]) == (200, '"2"')


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [("POST", "", {"slug": "tent", "name": "Tent"}), ("PATCH", "/villa", {"name": "Tent"}), ("DELETE", "/boat", None)],
)
async def test_only_admins_may(
    client: httpx.AsyncClient, host: httpx.AsyncClient, method: str, path: str, body: dict[str, Any] | None
) -> None:
    as_stranger = await client.request(method, f"{CATEGORIES}{path}", json=body, headers=FIRST)
    as_host = await host.request(method, f"{CATEGORIES}{path}", json=body, headers=FIRST)

    assert (as_stranger.status_code, as_host.status_code) == (401, 403)
    assert as_host.json()["code"] == "not_allowed"


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({"name": "No slug"}, "/slug"),
        ({"slug": "No Slug", "name": "x"}, "/slug"),
        ({"slug": "a--b", "name": "x"}, "/slug"),
        ({"slug": "tent"}, "/name"),
        ({"slug": "tent", "name": " "}, "/name"),
        ({"slug": "tent", "name": None}, "/name"),
        ({"slug": "tent", "name": "x", "position": "1"}, "/position"),
        ({"slug": "tent", "name": "x", "position": -1}, "/position"),
        ({"slug": "tent", "name": "x", "position": None}, "/position"),
        ({"slug": "tent", "name": "x", "parent": 7}, "/parent"),
        ({"slug": "tent", "name": "x", "count": 7}, "/count"),
    ],
)
async def test_a_wrong_field_is_named(admin: httpx.AsyncClient, body: dict[str, Any], pointer: str) -> None:
    answer = await admin.post(CATEGORIES, json=body)

    assert (answer.status_code, answer.json()["code"]) == (422, "validation_failed")
    assert {error["pointer"] for error in answer.json()["errors"]} == {pointer}


async def test_a_slug_never_changes_and_is_given_once(admin: httpx.AsyncClient) -> None:
    changed = await admin.patch(f"{CATEGORIES}/villa", json={"slug": "mansion"}, headers=FIRST)
    again = await admin.post(CATEGORIES, json={"slug": "villa", "name": "Villa"})

    assert (changed.status_code, changed.json()["errors"][0]["pointer"]) == (422, "/slug")
    assert (again.status_code, again.json()["code"]) == (409, "category_exists")


async def test_a_parent_must_exist(admin: httpx.AsyncClient) -> None:
    made = await admin.post(CATEGORIES, json={"slug": "tent", "name": "Tent", "parent": "castle"})
    moved = await admin.patch(f"{CATEGORIES}/villa", json={"parent": "castle"}, headers=FIRST)

    for answer in (made, moved):
        assert (answer.status_code, answer.json()["code"]) == (422, "unknown_parent")
        assert [error["pointer"] for error in answer.json()["errors"]] == ["/parent"]


@pytest.mark.parametrize("parent", ["house", "bungalow"])
async def test_nothing_stands_below_itself(admin: httpx.AsyncClient, parent: str) -> None:
    answer = await admin.patch(f"{CATEGORIES}/house", json={"parent": parent}, headers=FIRST)

    assert (answer.status_code, answer.json()["code"]) == (409, "category_cycle")


async def test_of_two_moves_that_are_a_circle_together_one_is_refused(
    client: httpx.AsyncClient, admin: httpx.AsyncClient, service: Service
) -> None:
    def move(slug: str, parent: str) -> "asyncio.Task[httpx.Response]":
        return asyncio.create_task(admin.patch(f"{CATEGORIES}/{slug}", json={"parent": parent}, headers=FIRST))

    async with service.database.unit_of_work() as session:
        await session.execute(text("LOCK TABLE categories IN SHARE MODE"))  # both may look, neither may write
        moves = [move("villa", "cabin"), move("cabin", "villa")]
        await stuck(session, len(moves))

    answers = [await each for each in moves]
    assert sorted(answer.status_code for answer in answers) == [200, 409]
    slugs = [node["slug"] for node in (await client.get(CATEGORIES)).json()["items"]]
    assert len({"villa", "cabin"} & set(slugs)) == 1


async def test_the_tree_has_a_depth_that_people_can_follow(admin: httpx.AsyncClient) -> None:
    parent = "boat"
    for level in range(2, MOST_LEVELS + 1):
        parent = (await added(admin, f"boat-{level}", parent=parent)).json()["slug"]

    made = await admin.post(CATEGORIES, json={"slug": "one-more", "name": "One more", "parent": parent})
    moved = await admin.patch(f"{CATEGORIES}/boat", json={"parent": "villa"}, headers=FIRST)

    assert (made.status_code, made.json()["code"]) == (409, "category_too_deep")
    assert (moved.status_code, moved.json()["code"]) == (409, "category_too_deep")


@pytest.mark.parametrize("is_published", [True, False])
async def test_what_a_listing_uses_stays(admin: httpx.AsyncClient, host: httpx.AsyncClient, is_published: bool) -> None:
    await (a_listing if is_published else a_draft)(host, category="boat")

    answer = await admin.delete(f"{CATEGORIES}/boat")

    assert (answer.status_code, answer.json()["code"]) == (409, "category_in_use")
    assert (await admin.get(f"{CATEGORIES}/boat")).status_code == 200


async def test_what_has_children_stays(admin: httpx.AsyncClient) -> None:
    answer = await admin.delete(f"{CATEGORIES}/house")

    assert (answer.status_code, answer.json()["code"]) == (409, "category_in_use")


async def test_of_a_removal_and_a_listing_at_once_one_is_refused(
    service: Service, admin: httpx.AsyncClient, host: httpx.AsyncClient
) -> None:
    for number in range(6):
        slug = f"fleeting-{number}"
        await added(admin, slug)

        removed, drafted = await asyncio.gather(
            admin.delete(f"{CATEGORIES}/{slug}"), host.post(f"{API}/listings", json=COMPLETE | {"category": slug})
        )

        assert (removed.status_code, drafted.status_code) in {(204, 422), (409, 201)}
    async with service.database.unit_of_work() as session:
        assert await session.scalar(select(func.count()).select_from(Category)) or 0


@pytest.mark.parametrize("method", ["GET", "PATCH", "DELETE"])
async def test_what_is_not_there_is_not_found(admin: httpx.AsyncClient, method: str) -> None:
    answer = await admin.request(
        method, f"{CATEGORIES}/castle", json={"name": "x"} if method == "PATCH" else None, headers=FIRST
    )

    assert answer.status_code == 404


async def test_adding_it_twice_under_one_key_adds_it_once(admin: httpx.AsyncClient) -> None:
    body, key = {"slug": "tent", "name": "Tent"}, {"Idempotency-Key": "k"}

    first = await admin.post(CATEGORIES, json=body, headers=key)
    again = await admin.post(CATEGORIES, json=body, headers=key)

    assert (first.status_code, again.status_code, again.content) == (201, 201, first.content)
