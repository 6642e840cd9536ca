"""bookings is killed while a host is paid: around the commit of the order, and with the provider's answer in its hands.

The money leaves once, whoever asks again: the admin by their key, the restarted service by the transfer's reference.
"""

import asyncio
import os
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from typing import Any
from uuid import uuid4

import asyncpg
import httpx
import pytest
from nexus_local.postgres import SUPERUSER

from tests.actors import Actor, eventually, newcomers, succeeded
from tests.faults.test_killed_around_the_commit import STAY, no_commit_is_acknowledged, superuser, waiting
from tests.faults.test_nothing_is_lost import rows
from tests.suite import Suite

ACCOUNT = {"account_name": "Hana Alemu", "account_number": "1000123456789", "bank_code": 946}
HELD = 4711
"""The advisory lock that a payout waits for when it is about to be recorded as paid."""
HOLD_ANSWERS = f"""
    CREATE FUNCTION hold_answers() RETURNS trigger LANGUAGE plpgsql
        AS 'BEGIN PERFORM pg_advisory_xact_lock({HELD}); RETURN NEW; END';
    CREATE TRIGGER hold_answers BEFORE INSERT ON ledger_transactions
        FOR EACH ROW WHEN (NEW.kind = 'payout_paid') EXECUTE FUNCTION hold_answers();
"""


@pytest.fixture
async def people(suite: Suite) -> AsyncIterator[tuple[Actor, Actor]]:
    """A host with something to be paid, and an admin."""
    async with newcomers(suite, "Hanna Host", "Gebre Guest", "Almaz Admin") as (host, guest, admin):
        listing = await host.publish_listing()
        quote = await guest.post("/quotes", {"listing_id": listing["id"], **STAY})
        booking = await guest.post("/bookings", {"quote_id": quote["id"]})
        await guest.pay((await guest.post(f"/bookings/{booking['id']}/payments"))["checkout_url"])
        await guest.sees(f"/bookings/{booking['id']}", status="confirmed")
        await rows(suite, "bookings", "UPDATE bookings SET ends_at = now() WHERE id = $1", booking["id"])
        await guest.sees(f"/bookings/{booking['id']}", status="completed")
        succeeded(await host.call("PUT", "/payouts/account", json=ACCOUNT))
        await rows(suite, "auth", "UPDATE users SET roles = '{user,admin}' WHERE email = $1", admin.email)
        await admin.sign_in()
        yield host, admin


async def order(admin: Actor, host_id: str, key: str) -> httpx.Response | None:
    """The answer, if there is one."""
    try:
        return await admin.call("POST", "/payouts", json={"host_id": host_id}, headers={"Idempotency-Key": key})
    except httpx.TransportError:
        return None


async def order_at_last(admin: Actor, host_id: str, key: str) -> httpx.Response:
    answer = await order(admin, host_id, key)
    assert answer is not None
    assert answer.is_success, answer.text
    return answer


async def id_of(person: Actor) -> str:
    found: str = (await person.get("/auth/me"))["id"]
    return found


async def transfers(suite: Suite, reference: str) -> int:
    """How often the provider sent it."""
    async with httpx.AsyncClient(base_url=suite.status()["payments"]) as provider:
        sent: list[dict[str, Any]] = (await provider.get("/simulator/transfers")).json()
    return sum(each["reference"] == reference for each in sent)


async def kill(suite: Suite) -> None:
    process = suite.process("bookings")
    os.kill(process["pid"], signal.SIGKILL)
    await asyncio.to_thread(suite.await_recovery, "bookings", process["restarts"])


async def assert_paid_once(suite: Suite, host: Actor, payout: dict[str, Any]) -> None:
    await host.sees(f"/payouts/{payout['id']}", status="paid")
    [balance] = (await host.get("/balance"))["items"]
    assert balance["paid_out"] == payout["amount"]
    assert await transfers(suite, payout["reference"]) == 1


async def test_an_order_that_was_written_and_not_answered_is_answered_to_fifty_retries_and_sent_once(
    suite: Suite, people: tuple[Actor, Actor]
) -> None:
    host, admin = people
    host_id, key = await id_of(host), str(uuid4())

    async with superuser(suite) as postgres:
        async with no_commit_is_acknowledged(postgres):
            sent = asyncio.create_task(order(admin, host_id, key))
            await eventually(partial(somebody_waits, postgres, "SyncRep"))
            killed = asyncio.create_task(kill(suite))
            answer = await sent
        await killed
    retries = await asyncio.gather(*(eventually(partial(order_at_last, admin, host_id, key)) for _ in range(50)))

    assert answer is None or not answer.is_success, "nobody was told anything"
    assert {retry.headers.get("Idempotency-Replayed") for retry in retries} == {"true"}
    assert len({retry.text for retry in retries}) == 1
    await assert_paid_once(suite, host, retries[0].json())
    assert len((await host.get("/payouts"))["items"]) == 1


async def test_an_answer_of_the_provider_that_was_not_written_is_asked_for_again_and_nothing_is_sent_twice(
    suite: Suite, people: tuple[Actor, Actor]
) -> None:
    host, admin = people

    async with answers_are_held(suite) as postgres:
        payout = (await order_at_last(admin, await id_of(host), str(uuid4()))).json()
        await eventually(partial(somebody_waits, postgres, "advisory"))
        sent_before = await transfers(suite, payout["reference"])
        await kill(suite)

    assert sent_before == 1, "the provider had answered"
    await assert_paid_once(suite, host, payout)


@asynccontextmanager
async def answers_are_held(suite: Suite) -> AsyncIterator[asyncpg.Connection]:
    """Until the end of the block, no payout can be recorded as paid."""
    port, password = suite.status()["postgres"]["port"], suite.secrets.postgres_password
    connection = await asyncpg.connect(
        host="127.0.0.1", port=port, user=SUPERUSER, password=password, database="nexus_bookings"
    )
    try:
        await connection.execute("SELECT pg_advisory_lock($1)", HELD)
        await connection.execute(HOLD_ANSWERS)
        try:
            yield connection
        finally:
            await connection.execute("SELECT pg_advisory_unlock_all()")
            await connection.execute("DROP FUNCTION hold_answers CASCADE")
    finally:
        await connection.close()


async def somebody_waits(postgres: asyncpg.Connection, for_what: str) -> None:
    found = await waiting(postgres)
    assert found[for_what], found
