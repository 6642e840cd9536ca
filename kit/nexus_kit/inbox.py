"""The inbox: what makes a second delivery of the same event harmless, and the address where events are delivered.

`POST /internal/events` takes a CloudEvent from the worker and applies it in one transaction with its inbox row.
"""

from collections.abc import Awaitable, Callable, Mapping
from datetime import timedelta
from typing import Any
from uuid import UUID

from fastapi import APIRouter, Request
from nexus_contracts.envelope import CloudEvent, Event, UnknownEventType, parse
from pydantic import ValidationError
from sqlalchemy import Column, DateTime, MetaData, Table, Text, Uuid, delete, func, text
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

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
Handlers = Mapping[type[Event], Handler]


class UnknownEvent(Unprocessable):
    """This service does not know this type of event."""


async def first_time(session: AsyncSession, consumer: str, event_id: UUID) -> bool:
    """Record that `consumer` takes this event in this transaction; False if it already did in an earlier one.

    Of two transactions at once the second waits here for the first, and then learns how it ended.
    """
    statement = insert(INBOX).values(consumer=consumer, event_id=event_id).on_conflict_do_nothing()
    inserted = await session.execute(statement.returning(INBOX.c.event_id))
    return inserted.first() is not None


def events_router(service: str, handlers: Handlers) -> APIRouter:
    """The route that applies delivered events by `handlers`, each once."""
    router = APIRouter(tags=["internal"])

    @router.post(
        "/internal/events",
        status_code=204,
        summary="Deliver an event",
        responses=responses(UnknownEvent, ValidationFailed),
        openapi_extra={"requestBody": {"content": {"application/cloudevents+json": {}}, "required": True}},
    )
    async def deliver(request: Request, caller: ServiceCaller, session: SessionDep) -> None:
        """Apply one CloudEvent. Delivering it again changes nothing and answers 204 too."""
        event = _read(await request.body())
        handler = handlers.get(type(event.data))
        if handler is None:
            raise UnknownEvent(f"{service} does not take {event.type}.")
        if await first_time(session, service, event.id):
            await handler(session, event)

    return router


def _read(body: bytes) -> CloudEvent[Any]:
    try:
        return parse(body)
    except UnknownEventType as exc:
        raise UnknownEvent(f"No event is called {exc}.") from exc
    except ValidationError as exc:
        found = [field_error({**error, "loc": ("body", *error["loc"])}) for error in exc.errors()]
        raise ValidationFailed("This is not a CloudEvent of ours.", errors=found) from exc


async def prune(database: Database) -> None:
    """Forget what was received long ago."""
    async with database.unit_of_work() as session:
        await session.execute(delete(INBOX).where(INBOX.c.received_at < func.now() - KEPT))
