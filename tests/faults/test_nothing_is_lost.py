"""Any one process is killed with SIGKILL in the middle of the story, twice: the story still ends as it should.

The relay has no process of its own: it lives in the services, so killing a service kills its relay between the commit
and the stream. The client is patient: it repeats what was not served, with the same idempotency key.
"""

import asyncio
from collections import Counter
from datetime import date, timedelta

import asyncpg
import pytest
from nexus_contracts.bookings import BookingConfirmed

from tests.actors import Actor, eventually, newcomers
from tests.suite import Suite

PROCESSES = ("auth", "listings", "bookings", "worker", "gateway", "payments", "mail", "valkey", "postgres")
ARRIVAL = date.today() + timedelta(days=30)  # noqa: DTZ011 - a date well ahead in any zone
STAY = {"check_in": ARRIVAL.isoformat(), "check_out": (ARRIVAL + timedelta(days=2)).isoformat(), "guests": 2}


@pytest.mark.parametrize("victim", PROCESSES)
async def test_the_story_survives_the_death_of(victim: str, suite: Suite) -> None:
    async with newcomers(suite, "Hanna Host", "Gebre Guest", patient=True) as (host, guest):
        listing = await host.publish_listing(title=f"Cabin of the lost {victim}")
        quote = await guest.post("/quotes", {"listing_id": listing["id"], **STAY})

        restarts = suite.kill(victim)
        booking = await guest.post("/bookings", {"quote_id": quote["id"]})
        await asyncio.to_thread(suite.await_recovery, victim, restarts)

        payment = await guest.post(f"/bookings/{booking['id']}/payments")
        await eventually(lambda: guest.pay(payment["checkout_url"]))
        restarts = suite.kill(victim)
        await asyncio.to_thread(suite.await_recovery, victim, restarts)

        await guest.sees(f"/bookings/{booking['id']}", status="confirmed")
        await assert_told_once(host, guest, listing["title"])
        await eventually(lambda: assert_reacted_once(suite, booking["id"]))


async def assert_told_once(host: Actor, guest: Actor, title: str) -> None:
    """Both mails arrived. Twice the same (one Message-ID) is what at-least-once allows; two different ones are not."""
    for person in (host, guest):
        await person.mail_about(title)
        about = {mail["MessageID"]: mail["Subject"] for mail in await person.mails() if title in mail["Subject"]}
        assert max(Counter(about.values()).values()) == 1, about


async def assert_reacted_once(suite: Suite, booking_id: str) -> None:
    """The confirmation left the outbox, each of its reactions left one inbox row, and nothing lies dead."""
    confirmed = await rows(
        suite,
        "bookings",
        "SELECT event_id FROM outbox WHERE subject = $1 AND type = $2 AND published_at IS NOT NULL",
        booking_id,
        BookingConfirmed.TYPE,
    )
    assert len(confirmed) == 1
    reactions = await rows(suite, "worker", "SELECT consumer FROM inbox WHERE event_id = $1", confirmed[0]["event_id"])
    assert len(reactions) == 2, reactions
    assert await rows(suite, "worker", "SELECT reaction FROM dead_letters") == []


async def rows(suite: Suite, service: str, query: str, *arguments: object) -> list[asyncpg.Record]:
    """Ask one service's database."""
    connection = await asyncpg.connect(suite.database_url(service))
    try:
        found: list[asyncpg.Record] = await connection.fetch(query, *arguments)
        return found
    finally:
        await connection.close()
