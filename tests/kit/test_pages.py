"""Cursors lead through a list without gaps or repeats, and cannot be forged or carried over to another list."""

import base64
from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest
from nexus_kit.testing import Service, signed_in

from tests.kit.jars import Jar

OWNER = UUID("00000000-0000-7000-8000-000000000001")


@pytest.fixture
async def owner(client: httpx.AsyncClient, service: Service) -> httpx.AsyncClient:
    """The owner of 25 jars, of which many hold equally many coins."""
    async with service.database.unit_of_work() as session:
        session.add_all(Jar(owner_id=OWNER, label="even" if n % 2 == 0 else "odd", coins=n % 3) for n in range(25))
    client.headers.update(signed_in(OWNER))
    return client


@pytest.mark.parametrize("sort", ["id", "-coins"])
async def test_following_the_cursor_shows_everything_once_in_order(owner: httpx.AsyncClient, sort: str) -> None:
    seen = await _all(owner, {"limit": 4, "sort": sort})

    assert len({jar["id"] for jar in seen}) == len(seen) == 25
    if sort == "-coins":
        assert [jar["coins"] for jar in seen] == sorted((jar["coins"] for jar in seen), reverse=True)


async def test_a_row_that_appears_meanwhile_repeats_and_hides_nothing(
    owner: httpx.AsyncClient, service: Service
) -> None:
    first = (await owner.get("/api/v1/jars", params={"limit": 10, "sort": "-coins"})).json()
    async with service.database.unit_of_work() as session:
        session.add(Jar(owner_id=OWNER, label="new", coins=99))

    rest = await _all(owner, {"limit": 10, "sort": "-coins", "cursor": first["next_cursor"]})

    assert len({jar["id"] for jar in first["items"] + rest}) == 25
    assert len(first["items"] + rest) == 25


async def test_the_last_page_says_so_also_when_it_is_full(owner: httpx.AsyncClient) -> None:
    page = (await owner.get("/api/v1/jars", params={"limit": 25})).json()

    assert len(page["items"]) == 25
    assert page["next_cursor"] is None


async def test_an_empty_list_is_a_page(client: httpx.AsyncClient) -> None:
    page = await client.get("/api/v1/jars", headers=signed_in())

    assert page.json() == {"items": [], "next_cursor": None}


@pytest.mark.parametrize("changed", [{"label": "even"}, {"sort": "-coins"}])
async def test_a_cursor_does_not_fit_another_filter_or_order(owner: httpx.AsyncClient, changed: dict[str, str]) -> None:
    cursor = (await owner.get("/api/v1/jars", params={"limit": 4})).json()["next_cursor"]

    answer = await owner.get("/api/v1/jars", params={"cursor": cursor, **changed})

    assert (answer.status_code, answer.json()["code"]) == (400, "cursor_mismatch")


async def test_a_cursor_does_not_fit_another_owner(owner: httpx.AsyncClient) -> None:
    cursor = (await owner.get("/api/v1/jars", params={"limit": 4})).json()["next_cursor"]

    answer = await owner.get("/api/v1/jars", params={"cursor": cursor}, headers=signed_in(uuid4()))

    assert (answer.status_code, answer.json()["code"]) == (400, "cursor_mismatch")


async def test_the_page_size_may_change_on_the_way(owner: httpx.AsyncClient) -> None:
    cursor = (await owner.get("/api/v1/jars", params={"limit": 4})).json()["next_cursor"]

    page = (await owner.get("/api/v1/jars", params={"limit": 100, "cursor": cursor})).json()

    assert len(page["items"]) == 21


async def test_no_changed_cursor_is_accepted(owner: httpx.AsyncClient) -> None:
    cursor = (await owner.get("/api/v1/jars", params={"limit": 4})).json()["next_cursor"]
    raw = base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4))
    forged = [bytes([*raw[:i], raw[i] ^ 1, *raw[i + 1 :]]) for i in range(len(raw))]
    cursors = [base64.urlsafe_b64encode(each).decode().rstrip("=") for each in forged]

    for tampered in [*cursors, cursor[:-4], cursor + "AAAA", "", "x", "%%%", "é", ">i:1"]:
        answer = await owner.get("/api/v1/jars", params={"cursor": tampered})

        assert (answer.status_code, answer.json()["code"]) == (400, "invalid_cursor"), tampered


@pytest.mark.parametrize(
    "query", [{"limit": 0}, {"limit": 101}, {"limit": "many"}, {"page": 2}, {"cursor": "x" * 2001}]
)
async def test_odd_parameters_are_refused(owner: httpx.AsyncClient, query: dict[str, Any]) -> None:
    answer = await owner.get("/api/v1/jars", params=query)

    assert (answer.status_code, answer.json()["code"]) == (422, "validation_failed")


async def _all(client: httpx.AsyncClient, query: dict[str, Any]) -> list[dict[str, Any]]:
    seen: list[dict[str, Any]] = []
    while True:
        page = (await client.get("/api/v1/jars", params=query)).json()
        seen += page["items"]
        if page["next_cursor"] is None:
            return seen
        query = {**query, "cursor": page["next_cursor"]}
