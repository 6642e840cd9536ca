"""The transactional outbox: the only way out for a fact.

A service calls `emit` inside its transaction; the relay, in one process at a time, moves committed rows to the stream.
"""

import asyncio
import contextlib
import time
from datetime import timedelta
from typing import Any

from nexus_contracts.envelope import CloudEvent, Event
from redis.asyncio import Redis
from sqlalchemy import (
    ARRAY,
    BigInteger,
    Column,
    DateTime,
    Identity,
    Index,
    Integer,
    MetaData,
    Row,
    Table,
    Text,
    Uuid,
    delete,
    func,
    literal,
    select,
    text,
    update,
)
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncSession

from nexus_kit import context, streams
from nexus_kit.background import lead
from nexus_kit.db import Database, driver

OUTBOX = Table(
    "outbox",
    MetaData(),
    Column("id", BigInteger, Identity(always=True), primary_key=True),
    Column("event_id", Uuid, nullable=False, server_default=text("uuidv7()")),
    Column("type", Text, nullable=False),
    Column("subject", Uuid, nullable=False),
    Column("sequence", Integer, nullable=False),
    Column("time", DateTime(timezone=True), nullable=False, server_default=text("now()")),
    Column("data", JSONB, nullable=False),
    Column("traceparent", Text),
    Column("request_id", Text),
    Column("published_at", DateTime(timezone=True)),
    Index("ix_outbox_unpublished", "id", postgresql_where=text("published_at IS NULL")),
    Index("ix_outbox_published_at", "published_at", postgresql_where=text("published_at IS NOT NULL")),
)

_EMIT = """
    INSERT INTO outbox (type, subject, sequence, data, traceparent, request_id) VALUES ($1, $2, $3, $4, $5, $6)
"""

_BATCH = 200
GATHER = 0.1
"""Seconds from the start of one round to that of the next, at least. What is committed meanwhile travels together, all
the way to the service that it is delivered to: a round costs hardly more for twenty rows than for one. After a pause
nothing waits; in a flood, this is far below what anybody notices of the five seconds that a revocation has."""
_LOOK_EVERY = 0.5
"""Seconds after which the relay looks for rows that another process wrote; its own process wakes it at once."""

KEPT = timedelta(days=7)
"""Published rows stay this long, for whoever investigates."""


async def emit(session: AsyncSession, event: Event, *, sequence: int) -> None:
    """Publish `event` if and only if this transaction commits.

    `sequence` is the aggregate's version: bump it first. The row lock that the bump takes is what keeps the events of
    one aggregate in order: rows get their ids in the order in which the versions were given out.
    """
    session.info["outbox"] = True
    ids = context.TRACEPARENT.get(), context.REQUEST_ID.get()
    connection = await driver(session)
    await connection.execute(_EMIT, event.TYPE, event.subject(), sequence, event.model_dump_json(), *ids)


async def relay(database: Database, redis: Redis, producer: str) -> None:
    """Move rows from the outbox to the producer's stream for ever, as the only one who does: two break the order."""

    async def work(connection: AsyncConnection) -> None:
        while True:
            database.outbox_written.clear()
            not_before = time.monotonic() + GATHER
            while await publish_batch(connection, redis, producer) == _BATCH:
                pass
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(database.outbox_written.wait(), _LOOK_EVERY)
            await asyncio.sleep(not_before - time.monotonic())

    await lead(database, f"{producer}:relay", work)


async def publish_batch(connection: AsyncConnection, redis: Redis, producer: str) -> int:
    """Publish the oldest unpublished rows and mark them; a crash in between publishes them twice, never not at all."""
    rows = (
        await connection.execute(
            select(OUTBOX).where(OUTBOX.c.published_at.is_(None)).order_by(OUTBOX.c.id).limit(_BATCH)
        )
    ).all()
    if rows:
        await streams.publish(redis, streams.stream_name(producer), [document(row, producer) for row in rows])
        published = func.any(literal([row.id for row in rows], ARRAY(BigInteger)))  # one statement for any number
        await connection.execute(update(OUTBOX).where(OUTBOX.c.id == published).values(published_at=func.now()))
    return len(rows)


def document(row: Row[Any], producer: str) -> str:
    """One outbox row as a CloudEvent in JSON."""
    event = CloudEvent[Any].model_construct(
        id=row.event_id,
        source=f"/services/{producer}",
        type=row.type,
        subject=row.subject,
        time=row.time,
        sequence=row.sequence,
        traceparent=row.traceparent,
        requestid=row.request_id,
        data=row.data,
    )
    return event.model_dump_json(exclude_none=True)


async def prune(database: Database) -> None:
    """Forget what was published long ago."""
    async with database.unit_of_work() as session:
        await session.execute(delete(OUTBOX).where(OUTBOX.c.published_at < func.now() - KEPT))
