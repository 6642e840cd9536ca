"""An impatient client sends the same request fifty times at once: it happens once, and all get the same answer."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import date, timedelta
from typing import Any
from uuid import uuid4

import asyncpg
import httpx

from tests.actors import Actor, eventually
from tests.suite import Suite

RETRIES = 50
ARRIVAL = date.today() + timedelta(days=50)  # noqa: DTZ011 - a date well ahead in any zone
STAY = {"check_in": ARRIVAL.isoformat(), "check_out": (ARRIVAL + timedelta(days=2)).isoformat(), "guests": 1}


async def insist(person: Actor, path: str, body: Any = None) -> Any:
    """The one answer to fifty requests with the same key; 409 "in progress" is no answer, only a plea for patience."""
    key = str(uuid4())

    async def answered() -> httpx.Response:
        answer = await person.call("POST", path, json=body, headers={"Idempotency-Key": key})
        assert "idempotency_in_progress" not in answer.text
        return answer

    answers = await asyncio.gather(*(eventually(answered) for _ in range(RETRIES)))

    assert len({(answer.status_code, answer.content, answer.headers.get("Location")) for answer in answers}) == 1
    assert answers[0].is_success, answers[0].text
    assert [answer.headers.get("Idempotency-Replayed") for answer in answers].count("true") == RETRIES - 1
    return answers[0].json()


@asynccontextmanager
async def database(suite: Suite) -> AsyncIterator[asyncpg.Connection]:
    connection = await asyncpg.connect(suite.database_url("bookings"))
    try:
        yield connection
    finally:
        await connection.close()


async def test_fifty_retries_book_once_pay_once_and_cancel_once(suite: Suite, host: Actor, guest: Actor) -> None:
    listing = await host.publish_listing(units=RETRIES)
    quote = await guest.post("/quotes", {"listing_id": listing["id"], **STAY})

    booking = await insist(guest, "/bookings", {"quote_id": quote["id"]})
    payment = await insist(guest, f"/bookings/{booking['id']}/payments")
    await guest.pay(payment["checkout_url"])
    await guest.sees(f"/bookings/{booking['id']}", status="confirmed")
    cancelled = await insist(guest, f"/bookings/{booking['id']}/cancel")

    assert cancelled["refund"] == booking["total"]
    async with database(suite) as rows:
        mine = await rows.fetchval("SELECT count(*) FROM bookings WHERE listing_id = $1", listing["id"])
        charged = await rows.fetch("SELECT id, refunded_amount FROM payments WHERE booking_id = $1", booking["id"])
        refunds = await rows.fetch("SELECT amount FROM refunds WHERE payment_id = $1", payment["id"])
        told = await rows.fetchval(
            "SELECT count(*) FROM outbox WHERE subject = $1 AND type LIKE '%cancelled%'", booking["id"]
        )
    assert mine == 1
    assert [(str(each["id"]), each["refunded_amount"]) for each in charged] == [
        (payment["id"], booking["total"]["amount"])
    ]
    assert [each["amount"] for each in refunds] == [booking["total"]["amount"]]
    assert told == 1
