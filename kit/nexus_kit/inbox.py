"""The inbox: what makes a second delivery of the same event harmless, and the address where events are delivered.

`POST /internal/events` takes CloudEvents from the worker and applies them in one transaction with their inbox rows.
"""

from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from itertools import groupby
from typing import Any
from uuid import UUID

import orjson
from fastapi import APIRouter, Request
from nexus_contracts.envelope import BATCH_MEDIA_TYPE, MEDIA_TYPE, CloudEvent, Event, UnknownEventType, parse
from pydantic import ValidationError
from sqlalchemy import ARRAY, Column, DateTime, MetaData, Table, Text, Uuid, delete, func, literal, select, text
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from nexus_kit import context
from nexus_kit.auth import ServiceCaller
from nexus_kit.db import Database, SessionDep
from nexus_kit.errors import Unprocessable, ValidationFailed, responses
from nexus_kit.problems import field_error

INBOX = Table(
    "inbox",
    MetaData(),
    Column("consumer", Text, primary_key=True),
    Column("event_id", Uuid, primary_key=True),
    Column("received_at", DateTime(timezone=True), nullable=False, server_default=text("now()"), index=True),
)

KEPT = timedelta(days=30)
"""Longer than anything is redelivered; after that the row is forgotten."""

# Any event class: a handler names the one it takes, and the table below guarantees that it gets no other.
Handler = Callable[[AsyncSession, CloudEvent[Any]], Awaitable[None]]


@dataclass(frozen=True)
class Together:
    """A handler of events that come in floods: it is given all that follow one another in a delivery, in their order.

    It must do what it would do if it were given one after the other.
    """

    apply: Callable[[AsyncSession, Sequence[CloudEvent[Any]]], Awaitable[None]]


Handlers = Mapping[type[Event], Handler | Together]

_WAIT = text("SET LOCAL lock_timeout = '2s'")


class UnknownEvent(Unprocessable):
    """This service does not know this type of event."""


async def first_time(session: AsyncSession, consumer: str, event_id: UUID) -> bool:
    """Record that `consumer` takes this event in this transaction; False if it already did in an earlier one.

    Of two transactions at once the second waits here for the first, and then learns how it ended.
    """
    return bool(await new_among(session, consumer, [event_id]))


async def new_among(session: AsyncSession, consumer: str, event_ids: Iterable[UUID]) -> set[UUID]:
    """The same for many at once: those that `consumer` has not taken before.

    Rows are written in one order for all, so that of two transactions with the same events none deadlocks.
    """
    rows = select(literal(consumer, Text), func.unnest(literal(sorted(event_ids), ARRAY(Uuid))))
    statement = insert(INBOX).from_select([INBOX.c.consumer, INBOX.c.event_id], rows).on_conflict_do_nothing()
    return set(await session.scalars(statement.returning(INBOX.c.event_id)))


def events_router(service: str, handlers: Handlers) -> APIRouter:
    """The route that applies delivered events by `handlers`, each once."""
    router = APIRouter(tags=["internal"])

    @router.post(
        "/internal/events",
        status_code=204,
        summary="Deliver events",
        responses=responses(UnknownEvent, ValidationFailed),
        openapi_extra={"requestBody": {"content": {MEDIA_TYPE: {}, BATCH_MEDIA_TYPE: {}}, "required": True}},
    )
    async def deliver(request: Request, caller: ServiceCaller, session: SessionDep) -> None:
        """Apply one CloudEvent, or a batch of them: all, or none when one is refused.

        Delivering an event again, alone or among others, changes nothing and answers 204 too.
        """
        body = await request.body()
        is_batch = request.headers.get("content-type", "").startswith(BATCH_MEDIA_TYPE)
        events = _read_batch(body) if is_batch else [_read(body)]
        for event in events:
            if type(event.data) not in handlers:
                raise UnknownEvent(f"{service} does not take {event.type}.")
        await _apply(session, service, handlers, events)

    return router


async def _apply(session: AsyncSession, service: str, handlers: Handlers, events: Iterable[CloudEvent[Any]]) -> None:
    """Apply those that are new, in their order, each once."""
    by_id = {event.id: event for event in events}
    # An earlier delivery of these may be at it still, though nobody awaits its answer any more: 503, and later again.
    await session.execute(_WAIT)
    new = await new_among(session, service, by_id)
    fresh = (event for event_id, event in by_id.items() if event_id in new)
    for handler, run in groupby(fresh, key=lambda event: handlers[type(event.data)]):
        if isinstance(handler, Together):
            await handler.apply(session, list(run))
            continue
        for event in run:
            with context.working_for(event.requestid, event.traceparent):
                await handler(session, event)


def _read_batch(body: bytes) -> list[CloudEvent[Any]]:
    try:
        documents = orjson.loads(body)
    except orjson.JSONDecodeError as exc:
        raise ValidationFailed("This is not JSON.") from exc
    if not isinstance(documents, list):
        raise ValidationFailed("This is not an array of CloudEvents.")
    return [_read(orjson.dumps(document), place) for place, document in enumerate(documents)]


def _read(document: bytes, *place: int) -> CloudEvent[Any]:
    """One event; `place` is where in the body it stands."""
    try:
        return parse(document)
    except UnknownEventType as exc:
        raise UnknownEvent(f"No event is called {exc}.") from exc
    except ValidationError as exc:
        found = [field_error({**error, "loc": ("body", *place, *error["loc"])}) for error in exc.errors()]
        raise ValidationFailed("This is not a CloudEvent of ours.", errors=found) from exc


async def prune(database: Database) -> None:
    """Forget what was received long ago."""
    async with database.unit_of_work() as session:
        await session.execute(delete(INBOX).where(INBOX.c.received_at < func.now() - KEPT))
