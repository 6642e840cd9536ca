"""A fact leaves if and only if its transaction commits: at least once, in order, whatever dies on the way."""

import asyncio
import contextlib
import statistics
import time
from collections.abc import Awaitable, Callable
from typing import Any
from uuid import UUID, uuid4

import httpx
from nexus_contracts.auth import UserUpdated
from nexus_contracts.envelope import CloudEvent, parse
from nexus_kit import outbox, streams
from nexus_kit.background import lead
from nexus_kit.db import Database
from nexus_kit.outbox import GATHER, OUTBOX, emit
from nexus_kit.testing import Service, signed_in
from redis.asyncio import Redis
from sqlalchemy import func, select, text, update
from sqlalchemy.ext.asyncio import AsyncConnection

STREAM = streams.stream_name("bookings")


async def test_a_committed_fact_reaches_the_stream_with_the_ids_of_its_request(
    client: httpx.AsyncClient, service: Service
) -> None:
    trace = "4bf92f3577b34da6a3ce929d0e0e4736"
    made = await client.post(
        "/api/v1/jars",
        json={"label": "a"},
        headers={
            **signed_in(),
            "Idempotency-Key": "k",
            "X-Request-Id": "request-from-a-test",
            "traceparent": f"00-{trace}-00f067aa0ba902b7-01",
        },
    )
    jar_id = UUID(made.json()["id"])

    await _eventually(lambda: _arrived(service, jar_id), [1])

    (entry,) = [event for event in await _stream(service.events, STREAM) if event.subject == jar_id]
    (fact,) = await service.published()
    assert (entry.id, entry.data, entry.sequence) == (fact.id, fact.data, fact.sequence)
    assert entry.type == UserUpdated.TYPE
    assert entry.requestid == "request-from-a-test"
    assert (entry.traceparent or "").split("-")[1] == trace


async def test_a_fact_of_a_transaction_that_fails_never_leaves(client: httpx.AsyncClient, service: Service) -> None:
    taken = {"label": "a", "nickname": "piggy"}
    await client.post("/api/v1/jars", json=taken, headers={**signed_in(), "Idempotency-Key": "k"})

    refused = await client.post("/api/v1/jars", json=taken, headers={**signed_in(), "Idempotency-Key": "k"})

    assert (refused.status_code, refused.json()["code"]) == (409, "nickname_taken")
    assert len(await service.published()) == 1


async def test_nothing_is_lost_or_reordered_while_many_write_and_the_leader_dies(
    client: httpx.AsyncClient, service: Service
) -> None:
    subjects = [uuid4() for _ in range(5)]

    async def write(subject: UUID) -> None:
        for version in range(1, 21):
            async with service.database.unit_of_work() as session:
                await emit(session, UserUpdated(user_id=subject), sequence=version)
                await asyncio.sleep(0.001)  # commits overlap, so ids become visible out of order

    writers = asyncio.gather(*(write(subject) for subject in subjects))
    await asyncio.sleep(0.05)
    await _kill_the_leader(service.database)
    await writers

    async def order_of_first_arrival() -> list[list[int]]:
        return [list(dict.fromkeys(await _arrived(service, subject))) for subject in subjects]

    await _eventually(order_of_first_arrival, [list(range(1, 21))] * 5)


async def test_rows_published_just_before_a_crash_are_published_again_under_the_same_id(
    client: httpx.AsyncClient, service: Service, redis: Redis
) -> None:
    async with service.database.unit_of_work() as session:
        await emit(session, UserUpdated(user_id=uuid4()), sequence=1)
    (fact,) = await service.published()
    await _eventually(lambda: _arrived(service, fact.subject), [1])

    async with service.database.unit_of_work() as session:
        await session.execute(update(OUTBOX).values(published_at=None))  # the mark is what the crash undid
    await _eventually(lambda: _arrived(service, fact.subject), [1, 1])

    ids = [event.id for event in await _stream(service.events, STREAM) if event.subject == fact.subject]
    assert ids == [fact.id, fact.id]


async def test_what_is_committed_within_a_moment_is_published_in_one_round_and_in_order(
    client: httpx.AsyncClient, service: Service
) -> None:
    subject, many = uuid4(), 60

    started = time.monotonic()
    for version in range(1, many + 1):
        async with service.database.unit_of_work() as session:
            await emit(session, UserUpdated(user_id=subject), sequence=version)
        await asyncio.sleep(0.01)
    seconds = time.monotonic() - started

    await _eventually(lambda: _arrived(service, subject), list(range(1, many + 1)))
    waited = await _seconds_until_published(service)
    async with service.database.unit_of_work() as session:
        rounds = await session.scalar(select(func.count(OUTBOX.c.published_at.distinct()))) or 0
    assert 3 <= rounds <= seconds / GATHER + 2, "each takes what came since the one before"
    assert statistics.median(waited) < 2 * GATHER


async def test_after_a_pause_a_fact_is_published_without_waiting_for_others(
    client: httpx.AsyncClient, service: Service
) -> None:
    for version in range(1, 6):
        await asyncio.sleep(2 * GATHER)
        async with service.database.unit_of_work() as session:
            await emit(session, UserUpdated(user_id=uuid4()), sequence=version)

    await asyncio.sleep(2 * GATHER)
    assert min(await _seconds_until_published(service)) < GATHER / 2


async def test_a_relay_waits_for_redis_and_then_delivers_all(service: Service, client: httpx.AsyncClient) -> None:
    async with service.database.unit_of_work() as session:
        for version in range(3):
            await emit(session, UserUpdated(user_id=uuid4()), sequence=version)

    async with service.database.engine.connect() as connection, Redis.from_url("redis://127.0.0.1:1") as nobody:
        await connection.execution_options(isolation_level="AUTOCOMMIT")
        with contextlib.suppress(Exception):
            await outbox.publish_batch(connection, nobody, "bookings")

    async def unpublished() -> int:
        async with service.database.unit_of_work() as session:
            pending = select(func.count()).select_from(OUTBOX).where(OUTBOX.c.published_at.is_(None))
            return await session.scalar(pending) or 0

    await _eventually(unpublished, 0)


async def test_of_two_processes_one_leads_and_the_other_takes_over(service: Service) -> None:
    leaders: list[str] = []

    async def leaders_so_far() -> list[str]:
        return leaders

    async def work(name: str, connection: AsyncConnection) -> None:
        leaders.append(name)
        while True:
            await connection.execute(text("SELECT 1"))
            await asyncio.sleep(0.05)

    def candidate(name: str) -> asyncio.Task[None]:
        return asyncio.create_task(lead(service.database, "a test", lambda connection: work(name, connection)))

    first = candidate("first")
    await asyncio.sleep(0.3)
    second = candidate("second")
    await asyncio.sleep(0.3)
    assert leaders == ["first"]

    first.cancel()
    await asyncio.wait([first])
    await _eventually(leaders_so_far, ["first", "second"])

    second.cancel()
    await asyncio.wait([second])


async def _stream(redis: Any, stream: str) -> list[CloudEvent[Any]]:
    return [parse(fields[b"event"]) for _, fields in await redis.xrange(stream)]


async def _arrived(service: Service, subject: UUID) -> list[int]:
    return [event.sequence for event in await _stream(service.events, STREAM) if event.subject == subject]


async def _seconds_until_published(service: Service) -> list[float]:
    async with service.database.unit_of_work() as session:
        waited = await session.scalars(select(OUTBOX.c.published_at - OUTBOX.c.time))
        return [each.total_seconds() for each in waited]


async def _eventually(observe: Callable[[], Awaitable[object]], expected: object) -> None:
    deadline = time.monotonic() + 10
    while (seen := await observe()) != expected:
        assert time.monotonic() < deadline, f"still {seen}, not {expected}"
        await asyncio.sleep(0.05)


async def _kill_the_leader(database: Database) -> None:
    async with database.unit_of_work() as session:
        await session.execute(
            text(
                "SELECT pg_terminate_backend(pid) FROM pg_locks"
                " JOIN pg_database ON pg_database.oid = pg_locks.database AND datname = current_database()"
                " WHERE locktype = 'advisory' AND granted AND pid <> pg_backend_pid()"
            )
        )
