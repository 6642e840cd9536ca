"""ETags spare a read that nothing changed, and a write that would overwrite somebody else's."""

from uuid import uuid4

import httpx
import pytest
from nexus_kit.testing import signed_in


@pytest.fixture
async def jar(client: httpx.AsyncClient) -> str:
    """The address of a jar at version 1, and its owner signed in."""
    client.headers.update(signed_in(uuid4()))
    made = await client.post("/api/v1/jars", json={"label": "a"}, headers={"Idempotency-Key": "k"})
    return str(made.headers["Location"])


@pytest.mark.parametrize("known", ['"1"', 'W/"1"', '"0", "1"', '"a,b", W/"1" ', "*"])
async def test_a_reader_who_has_this_version_gets_304(client: httpx.AsyncClient, jar: str, known: str) -> None:
    answer = await client.get(jar, headers={"If-None-Match": known})

    assert answer.status_code == 304
    assert answer.content == b""
    assert answer.headers["ETag"] == '"1"'
    assert "Content-Type" not in answer.headers


@pytest.mark.parametrize("known", ['"2"', "1", '"11"', "", '"1'])
async def test_a_reader_who_has_another_version_gets_this_one(client: httpx.AsyncClient, jar: str, known: str) -> None:
    answer = await client.get(jar, headers={"If-None-Match": known})

    assert answer.status_code == 200
    assert answer.headers["ETag"] == '"1"'


async def test_a_change_must_say_what_it_is_based_on(client: httpx.AsyncClient, jar: str) -> None:
    answer = await client.patch(jar, json={"label": "b"})

    assert (answer.status_code, answer.json()["code"]) == (428, "precondition_required")


@pytest.mark.parametrize("base", ['"1"', '"0", "1"', "*", 'W/"1"', '"1.5e2a"'])
async def test_a_change_of_the_current_version_succeeds(client: httpx.AsyncClient, jar: str, base: str) -> None:
    answer = await client.patch(jar, json={"label": "b"}, headers={"If-Match": base})

    assert (answer.status_code, answer.json()["label"]) == (200, "b")
    assert answer.headers["ETag"] == '"2"'


@pytest.mark.parametrize("base", ['"2"', '"2.1"', '"11"', "1", "nonsense", ""])
async def test_a_change_of_another_version_is_refused(client: httpx.AsyncClient, jar: str, base: str) -> None:
    answer = await client.patch(jar, json={"label": "b"}, headers={"If-Match": base})

    assert (answer.status_code, answer.json()["code"]) == (412, "precondition_failed")
    assert (await client.get(jar)).json()["label"] == "a"


async def test_of_two_changes_of_the_same_version_the_second_is_refused(client: httpx.AsyncClient, jar: str) -> None:
    first = await client.patch(jar, json={"label": "b"}, headers={"If-Match": '"1"'})
    second = await client.patch(jar, json={"label": "c"}, headers={"If-Match": '"1"'})

    assert (first.status_code, second.status_code) == (200, 412)
    assert second.headers["ETag"] == '"2"'
