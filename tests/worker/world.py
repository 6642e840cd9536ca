"""What the worker's tests have in common: facts, a way to publish them, and a way to read the mail that they cause."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any, TypeVar
from uuid import UUID, uuid4

import httpx
from nexus_contracts import bookings
from nexus_contracts.envelope import CloudEvent, Event
from nexus_contracts.money import Money
from nexus_kit import streams
from nexus_kit.db import Database
from nexus_kit.inbox import INBOX
from nexus_kit.testing import Service
from nexus_worker.db import DeadLetter
from redis.asyncio import Redis
from sqlalchemy import select

from tests.local.simulators import MailCatcher
from tests.worker.peers import Peer

T = TypeVar("T")
F = TypeVar("F", bound=bookings.BookingFact)

MANY_BIRR = Money(amount=1_400_000, currency="ETB")
EXPIRES = datetime(2026, 12, 7, 11, 30, tzinfo=UTC)


@dataclass(frozen=True)
class World:
    """The peers of one worker, the mailbox, and the Redis that both sides of it use."""

    auth: Peer
    listings: Peer
    bookings: Peer
    mailbox: str
    """URL of the mail catcher."""
    events: Redis

    async def happens(self, fact: Event, *, times: int = 1, **envelope: Any) -> CloudEvent[Any]:
        """Publish the fact as its producer's relay does, perhaps more than once."""
        event = event_of(fact, **envelope)
        document = event.model_dump_json(exclude_none=True)
        await streams.publish(self.events, streams.stream_name(fact.producer()), [document] * times)
        return event

    async def happen_together(self, *events: CloudEvent[Any]) -> None:
        """Publish events of one producer in one round of its relay."""
        stream = f"nexus:{{{events[0].source.rpartition('/')[2]}}}:events"
        await streams.publish(self.events, stream, [event.model_dump_json(exclude_none=True) for event in events])

    async def mails_to(self, user_id: UUID) -> list[dict[str, Any]]:
        """What lies in that user's mailbox, newest first, whole."""
        async with httpx.AsyncClient(base_url=self.mailbox) as client:
            query = {"query": f"to:{self.auth.address(user_id)}"}
            found = (await client.get("/api/v1/search", params=query)).json()["messages"]
            return [(await client.get(f"/api/v1/message/{each['ID']}")).json() for each in found]

    async def the_mail_to(self, user_id: UUID, *, seconds: float = 20) -> dict[str, Any]:
        """The one mail that the user gets."""

        async def look() -> dict[str, Any]:
            (mail,) = await self.mails_to(user_id)
            return mail

        return await eventually(look, seconds)

    async def headers_of(self, mail: dict[str, Any]) -> dict[str, list[str]]:
        """All headers of a mail."""
        async with httpx.AsyncClient(base_url=self.mailbox) as client:
            headers: dict[str, list[str]] = (await client.get(f"/api/v1/message/{mail['ID']}/headers")).json()
            return headers


def told_of(peers: Mapping[str, Peer], mail_catcher: MailCatcher, **more: str) -> dict[str, str]:
    """What the worker's environment says of its peers."""
    return {
        **{f"NEXUS_{name.upper()}_URL": peer.url for name, peer in peers.items()},
        "NEXUS_SMTP_URL": f"smtp://127.0.0.1:{mail_catcher.smtp_port}",
        "NEXUS_MAIL_FROM": "Nexus <no-reply@nexus.test>",
        "NEXUS_PHOTOS_URL": "memory:///",
        **more,
    }


async def inbox_holds(service: Service, event: CloudEvent[Any], reactions: list[str]) -> None:
    """Exactly these reactions to the event have been done, and none given up."""
    assert await consumers(service.database, event) == reactions
    async with service.database.unit_of_work() as session:
        assert (await session.scalars(select(DeadLetter.error).where(DeadLetter.event_id == event.id))).all() == []


async def consumers(database: Database, event: CloudEvent[Any]) -> list[str]:
    """The reactions to the event that have been done."""
    async with database.unit_of_work() as session:
        rows = select(INBOX.c.consumer).where(INBOX.c.event_id == event.id).order_by(INBOX.c.consumer)
        return list((await session.scalars(rows)).all())


def event_of(fact: Event, **envelope: Any) -> CloudEvent[Any]:
    """The fact in its envelope."""
    return CloudEvent[Any](
        id=envelope.pop("id", None) or uuid4(),
        source=f"/services/{fact.producer()}",
        type=fact.TYPE,
        subject=fact.subject(),
        time=datetime.now(UTC),
        sequence=envelope.pop("sequence", 1),
        data=fact.model_dump(mode="json"),
        **envelope,
    )


def booking(kind: type[F], guest: UUID, host: UUID, title: str = "Lakeside cabin", **more: Any) -> F:
    """A fact about three nights for two."""
    return kind(
        booking_id=uuid4(),
        listing_id=uuid4(),
        listing_title=title,
        guest_id=guest,
        host_id=host,
        check_in=date(2026, 12, 7),
        check_out=date(2026, 12, 10),
        timezone="Africa/Addis_Ababa",
        guests=2,
        total=MANY_BIRR,
        **more,
    )


async def eventually(attempt: Callable[[], Awaitable[T]], seconds: float = 20) -> T:
    """Await `attempt` until it neither fails nor finds nothing; its last failure when time is up."""
    deadline = time.monotonic() + seconds
    while True:
        try:
            return await attempt()
        except (AssertionError, ValueError, httpx.TransportError):
            if time.monotonic() > deadline:
                raise
        await asyncio.sleep(0.02)
