"""bookings is killed between its commit and its answer: a client that repeats its request with its key has booked once.

PostgreSQL is made to wait for a standby that does not exist, as it does where a standby was lost: a commit is written,
can no longer be taken back, and is not acknowledged. Whoever waits for the same listing's lock behind it is not booked.
"""

import asyncio
import os
import signal
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import date, timedelta
from functools import partial
from uuid import UUID, uuid4

import asyncpg
import httpx
from nexus_local.postgres import SUPERUSER

from tests.actors import Actor, eventually, newcomers, succeeded
from tests.faults.test_nothing_is_lost import rows
from tests.suite import Suite

LISTINGS, BOOKINGS_OF_EACH = 2, 3
ARRIVAL = date.today() + timedelta(days=30)  # noqa: DTZ011 - a date well ahead in any zone
STAY = {"check_in": ARRIVAL.isoformat(), "check_out": (ARRIVAL + timedelta(days=2)).isoformat(), "guests": 1}


async def test_whoever_was_booked_without_being_told_is_told_by_a_retry_and_booked_once(suite: Suite) -> None:
    process = suite.process("bookings")
    async with newcomers(suite, "Hanna Host", "Gebre Guest") as (host, guest), superuser(suite) as postgres:
        listings = [await host.publish_listing(units=BOOKINGS_OF_EACH) for _ in range(LISTINGS)]
        wishes = [{"listing_id": listing["id"], **STAY} for listing in listings for _ in range(BOOKINGS_OF_EACH)]
        keys = {(await guest.post("/quotes", wish))["id"]: str(uuid4()) for wish in wishes}

        async with no_commit_is_acknowledged(postgres):
            sent = [asyncio.create_task(book(guest, *each)) for each in keys.items()]
            await eventually(partial(all_are_stuck, postgres))
            os.kill(process["pid"], signal.SIGKILL)
            answers = await asyncio.gather(*sent)
        booked = await bookings_of(suite, list(keys))
        await asyncio.to_thread(suite.await_recovery, "bookings", process["restarts"])
        retried = {quote: await eventually(partial(book_at_last, guest, quote, key)) for quote, key in keys.items()}

        assert answers == [None] * len(keys), "nobody was told anything"
        assert len(booked) == LISTINGS, "one of each listing was booked"
        assert await bookings_of(suite, list(keys)) == {quote: [succeeded(retried[quote])["id"]] for quote in keys}
        replayed = {quote for quote, answer in retried.items() if answer.headers.get("Idempotency-Replayed") == "true"}
        assert replayed == booked.keys()
        assert all(booked[quote] == [retried[quote].json()["id"]] for quote in booked)
        for listing in listings:
            period = {"from": STAY["check_in"], "to": STAY["check_out"]}
            calendar = await guest.get(f"/availability/{listing['id']}", **period)
            assert [night["free_units"] for night in calendar["items"]] == [0, 0]


@asynccontextmanager
async def superuser(suite: Suite) -> AsyncIterator[asyncpg.Connection]:
    port, password = suite.status()["postgres"]["port"], suite.secrets.postgres_password
    connection = await asyncpg.connect(
        host="127.0.0.1", port=port, user=SUPERUSER, password=password, database="postgres"
    )
    try:
        yield connection
    finally:
        await connection.close()


@asynccontextmanager
async def no_commit_is_acknowledged(postgres: asyncpg.Connection) -> AsyncIterator[None]:
    """Until the end of the block; those that are written by then are done."""
    await postgres.execute("ALTER SYSTEM SET synchronous_standby_names = 'nobody'")
    await postgres.execute("SELECT pg_reload_conf()")
    try:
        yield
    finally:
        await postgres.execute("ALTER SYSTEM RESET synchronous_standby_names")
        await postgres.execute("SELECT pg_reload_conf()")
        await eventually(partial(nobody_is_stuck, postgres))


async def waiting(postgres: asyncpg.Connection) -> Counter[str]:
    """What the transactions of bookings wait for."""
    query = "SELECT wait_event FROM pg_stat_activity WHERE datname = 'nexus_bookings' AND wait_event IS NOT NULL"
    return Counter(row["wait_event"] for row in await postgres.fetch(query))


async def all_are_stuck(postgres: asyncpg.Connection) -> None:
    found = await waiting(postgres)
    assert found["SyncRep"] >= LISTINGS, found
    assert found["advisory"] == LISTINGS * (BOOKINGS_OF_EACH - 1), found


async def nobody_is_stuck(postgres: asyncpg.Connection) -> None:
    found = await waiting(postgres)
    assert not found["SyncRep"] and not found["advisory"], found  # noqa: PT018 - one fact


async def book(guest: Actor, quote: str, key: str) -> httpx.Response | None:
    """The answer, if it is a booking."""
    try:
        answer = await guest.call("POST", "/bookings", json={"quote_id": quote}, headers={"Idempotency-Key": key})
    except httpx.TransportError:
        return None
    return answer if answer.is_success else None


async def book_at_last(guest: Actor, quote: str, key: str) -> httpx.Response:
    """Fails as long as there is no booking."""
    answer = await book(guest, quote, key)
    assert answer is not None
    return answer


async def bookings_of(suite: Suite, quotes: list[str]) -> dict[str, list[str]]:
    """The ids of the bookings of each quote that has any."""
    query = "SELECT quote_id::text, array_agg(id::text) AS ids FROM bookings WHERE quote_id = ANY($1) GROUP BY 1"
    return {row["quote_id"]: row["ids"] for row in await rows(suite, "bookings", query, list(map(UUID, quotes)))}
