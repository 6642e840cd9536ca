"""A POST under an Idempotency-Key takes effect once, and every retry hears the first answer."""

import asyncio
import itertools
from collections.abc import AsyncIterator
from datetime import timedelta
from uuid import uuid4

import httpx
import pytest
from nexus_kit import idempotency
from nexus_kit.idempotency import IDEMPOTENCY_KEYS, KEPT, LEASE
from nexus_kit.testing import Service, signed_in
from sqlalchemy import func, select, text, update

from tests.kit.jars import BANK, Jar

JAR = {"label": "holiday"}


@pytest.fixture
async def owner(client: httpx.AsyncClient) -> httpx.AsyncClient:
    """A signed-in client."""
    client.headers.update(signed_in(uuid4()))
    return client


@pytest.fixture
async def jar(owner: httpx.AsyncClient) -> AsyncIterator[str]:
    """The address of a jar of the owner's, and a bank that works."""
    made = await owner.post("/api/v1/jars", json=JAR, headers={"Idempotency-Key": "the jar"})
    BANK.asked.clear()
    yield made.headers["Location"]
    BANK.open.set()
    BANK.is_broken = False


async def test_a_retry_gets_the_first_answer_again_and_changes_nothing(
    owner: httpx.AsyncClient, service: Service
) -> None:
    first = await owner.post("/api/v1/jars", json=JAR, headers={"Idempotency-Key": "k"})

    again = await owner.post("/api/v1/jars", json=JAR, headers={"Idempotency-Key": "k"})

    assert (again.status_code, again.content) == (201, first.content)
    assert again.headers["Location"] == first.headers["Location"]
    assert again.headers["Idempotency-Replayed"] == "true"
    assert "Idempotency-Replayed" not in first.headers
    assert await _jars(service) == 1
    assert len(await service.published()) == 1


async def test_of_many_at_once_one_takes_effect_and_the_others_are_told_to_wait(
    owner: httpx.AsyncClient, service: Service
) -> None:
    async with service.database.unit_of_work() as session:
        await session.execute(text("LOCK TABLE jars IN SHARE MODE"))  # whoever is first gets no further than this
        posts = [
            asyncio.create_task(owner.post("/api/v1/jars", json=JAR, headers={"Idempotency-Key": "k"}))
            for _ in range(5)
        ]
        refused = [await each for each in itertools.islice(asyncio.as_completed(posts, timeout=5), 4)]

    assert {(each.status_code, each.json()["code"]) for each in refused} == {(409, "idempotency_in_progress")}
    assert all(each.headers["Retry-After"] == "1" for each in refused)
    assert sorted([(await post).status_code for post in posts]) == [201, 409, 409, 409, 409]
    assert await _jars(service) == 1


async def test_the_key_is_required(owner: httpx.AsyncClient) -> None:
    answer = await owner.post("/api/v1/jars", json=JAR)

    assert (answer.status_code, answer.json()["code"]) == (400, "idempotency_key_required")


@pytest.mark.parametrize("key", [b"", b"x" * 256, b"tab\there", "naïve".encode("latin-1")])
async def test_a_malformed_key_is_refused(owner: httpx.AsyncClient, key: bytes) -> None:
    answer = await owner.post("/api/v1/jars", json=JAR, headers={b"Idempotency-Key": key})

    assert (answer.status_code, answer.json()["code"]) == (422, "validation_failed")
    assert answer.json()["errors"][0]["pointer"] == "Idempotency-Key"


async def test_a_key_is_not_taken_for_another_body(owner: httpx.AsyncClient, service: Service) -> None:
    await owner.post("/api/v1/jars", json=JAR, headers={"Idempotency-Key": "k"})

    answer = await owner.post("/api/v1/jars", json={"label": "car"}, headers={"Idempotency-Key": "k"})

    assert (answer.status_code, answer.json()["code"]) == (422, "idempotency_key_reused")
    assert await _jars(service) == 1


async def test_a_key_is_not_taken_for_another_resource(owner: httpx.AsyncClient, jar: str) -> None:
    await owner.post(f"{jar}/coins", headers={"Idempotency-Key": "k"})

    answer = await owner.post(f"/api/v1/jars/{uuid4()}/coins", headers={"Idempotency-Key": "k"})

    assert (answer.status_code, answer.json()["code"]) == (422, "idempotency_key_reused")


async def test_users_do_not_share_keys(client: httpx.AsyncClient) -> None:
    first = await client.post("/api/v1/jars", json=JAR, headers={"Idempotency-Key": "k", **signed_in()})
    second = await client.post("/api/v1/jars", json=JAR, headers={"Idempotency-Key": "k", **signed_in()})

    assert first.json()["id"] != second.json()["id"]


async def test_a_failure_is_not_stored_and_the_key_can_be_used_again(
    owner: httpx.AsyncClient, service: Service
) -> None:
    full = await owner.post("/api/v1/jars", json={**JAR, "coins": 101}, headers={"Idempotency-Key": "k"})
    invalid = await owner.post("/api/v1/jars", json={}, headers={"Idempotency-Key": "k"})

    good = await owner.post("/api/v1/jars", json=JAR, headers={"Idempotency-Key": "k"})

    assert (full.status_code, full.json()["code"]) == (409, "jar_full")
    assert invalid.status_code == 422
    assert good.status_code == 201
    assert await _jars(service) == 1


async def test_a_key_is_new_again_after_a_day(owner: httpx.AsyncClient, service: Service) -> None:
    first = await owner.post("/api/v1/jars", json=JAR, headers={"Idempotency-Key": "k"})
    await _pass_time(service, KEPT)

    second = await owner.post("/api/v1/jars", json={"label": "car"}, headers={"Idempotency-Key": "k"})

    assert second.status_code == 201
    assert second.json()["id"] != first.json()["id"]


async def test_old_answers_are_forgotten_and_younger_ones_are_not(owner: httpx.AsyncClient, service: Service) -> None:
    await owner.post("/api/v1/jars", json=JAR, headers={"Idempotency-Key": "old"})
    await _pass_time(service, KEPT)
    await owner.post("/api/v1/jars", json=JAR, headers={"Idempotency-Key": "young"})

    await idempotency.prune(service.database)

    async with service.database.unit_of_work() as session:
        keys = list(await session.scalars(select(IDEMPOTENCY_KEYS.c.key)))
    assert keys == ["young"]


async def test_where_the_key_is_not_required_it_is_honoured_all_the_same(owner: httpx.AsyncClient, jar: str) -> None:
    first = await owner.post(f"{jar}/pebbles", headers={"Idempotency-Key": "k"})

    again = await owner.post(f"{jar}/pebbles", headers={"Idempotency-Key": "k"})
    elsewhere = await owner.post(f"/api/v1/jars/{uuid4()}/pebbles", headers={"Idempotency-Key": "k"})

    assert (first.status_code, first.json()["coins"]) == (201, 1)
    assert (again.status_code, again.content) == (201, first.content)
    assert again.headers["Idempotency-Replayed"] == "true"
    assert (elsewhere.status_code, elsewhere.json()["code"]) == (422, "idempotency_key_reused")


async def test_where_the_key_is_not_required_each_request_without_one_counts(
    owner: httpx.AsyncClient, jar: str, service: Service
) -> None:
    answers = [await owner.post(f"{jar}/pebbles") for _ in range(2)]

    assert [(answer.status_code, answer.json()["coins"]) for answer in answers] == [(201, 1), (201, 2)]
    async with service.database.unit_of_work() as session:
        assert list(await session.scalars(select(IDEMPOTENCY_KEYS.c.key))) == ["the jar"]


async def test_across_two_transactions_a_retry_gets_the_first_answer_too(owner: httpx.AsyncClient, jar: str) -> None:
    first = await owner.post(f"{jar}/coins", headers={"Idempotency-Key": "k"})

    again = await owner.post(f"{jar}/coins", headers={"Idempotency-Key": "k"})

    assert first.json()["coins"] == 1
    assert (again.status_code, again.content) == (201, first.content)
    assert again.headers["Idempotency-Replayed"] == "true"


async def test_across_two_transactions_a_retry_in_between_is_told_to_wait(owner: httpx.AsyncClient, jar: str) -> None:
    BANK.open.clear()
    running = asyncio.create_task(owner.post(f"{jar}/coins", headers={"Idempotency-Key": "k"}))
    await BANK.asked.wait()

    retry = await owner.post(f"{jar}/coins", headers={"Idempotency-Key": "k"})
    BANK.open.set()

    assert (retry.status_code, retry.json()["code"]) == (409, "idempotency_in_progress")
    assert (await running).json()["coins"] == 1


async def test_across_two_transactions_a_failure_gives_the_key_back_at_once(owner: httpx.AsyncClient, jar: str) -> None:
    BANK.is_broken = True
    failed = await owner.post(f"{jar}/coins", headers={"Idempotency-Key": "k"})
    BANK.is_broken = False

    retry = await owner.post(f"{jar}/coins", headers={"Idempotency-Key": "k"})

    assert (failed.status_code, retry.status_code) == (502, 201)
    assert retry.json()["coins"] == 1


async def test_across_two_transactions_a_crash_in_between_holds_the_key_for_the_lease_only(
    owner: httpx.AsyncClient, jar: str, service: Service
) -> None:
    BANK.open.clear()
    crashed = asyncio.create_task(owner.post(f"{jar}/coins", headers={"Idempotency-Key": "k"}))
    await BANK.asked.wait()
    crashed.cancel()  # nothing of the route runs on, as when its process is killed
    await asyncio.wait([crashed])
    BANK.open.set()
    early = await owner.post(f"{jar}/coins", headers={"Idempotency-Key": "k"})
    await _pass_time(service, LEASE)

    late = await owner.post(f"{jar}/coins", headers={"Idempotency-Key": "k"})

    assert early.status_code == 409
    assert (late.status_code, late.json()["coins"]) == (201, 1)


async def _jars(service: Service) -> int:
    async with service.database.unit_of_work() as session:
        return await session.scalar(select(func.count()).select_from(Jar)) or 0


async def _pass_time(service: Service, time: timedelta) -> None:
    created_at = IDEMPOTENCY_KEYS.c.created_at
    async with service.database.unit_of_work() as session:
        await session.execute(update(IDEMPOTENCY_KEYS).values(created_at=created_at - time))
