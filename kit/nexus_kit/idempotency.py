"""`Idempotency-Key`: a POST takes effect once, however often a client sends it.

    async def book(new: NewBooking, guest: VerifiedUser, session: SessionDep, once: Once) -> BookingOut:
        booking = await service.book(session, guest.user_id, new)
        return once.keep(201, BookingOut.model_validate(booking), headers={"Location": f"/bookings/{booking.id}"})

The answer is stored in the business transaction, so both happened or neither did. Only answers that were kept are
stored: after an error the client may try again with the same key. `Once` insists on a key: for what moves money or
nights. A route where a second time does little harm takes `OnceIfKeyed`, one that must commit before it calls somebody
else `OnceAcross`. Source: https://datatracker.ietf.org/doc/draft-ietf-httpapi-idempotency-key-header/
"""

import hashlib
import json
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Annotated, TypeVar
from uuid import UUID

from fastapi import Depends, Header, Request, Response
from fastapi.routing import APIRoute
from pydantic import BaseModel
from sqlalchemy import (
    Column,
    ColumnElement,
    DateTime,
    LargeBinary,
    MetaData,
    SmallInteger,
    Table,
    Text,
    Uuid,
    and_,
    delete,
    func,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.ext.asyncio import AsyncSession

from nexus_kit.auth import CurrentUser
from nexus_kit.db import Database, SessionDep, UnitOfWork, advisory_key, driver
from nexus_kit.early import EarlyAnswer
from nexus_kit.errors import BadRequest, Conflict, Unprocessable

ModelT = TypeVar("ModelT", bound=BaseModel)

IDEMPOTENCY_KEYS = Table(
    "idempotency_keys",
    MetaData(),
    Column("caller", Uuid, primary_key=True),
    Column("operation", Text, primary_key=True),
    Column("key", Text, primary_key=True),
    Column("request_hash", LargeBinary, nullable=False),
    # The answer: null while a route that commits twice is between its transactions.
    Column("status", SmallInteger),
    Column("headers", JSONB),
    Column("body", Text),
    Column("created_at", DateTime(timezone=True), nullable=False, server_default=text("now()"), index=True),
)

_CLAIM = text("SELECT pg_try_advisory_xact_lock(:name)")
# After the claim and not with it, to see what its former holder has committed.
_FIND = """
    SELECT request_hash, status, headers, body, now() - created_at < $5 AS is_leased
      FROM idempotency_keys
     WHERE caller = $1 AND operation = $2 AND key = $3 AND now() - created_at < $4
"""
_RECORD = """
    INSERT INTO idempotency_keys (caller, operation, key, request_hash, status, headers, body)
    VALUES ($1, $2, $3, $4, $5, $6, $7)
    ON CONFLICT (caller, operation, key) DO UPDATE
       SET (request_hash, status, headers, body, created_at)
         = (excluded.request_hash, excluded.status, excluded.headers, excluded.body, now())
"""

KEPT = timedelta(hours=24)
"""How long an answer can be replayed; after that the key is new again."""

LEASE = timedelta(seconds=20)
"""How long a route between its two transactions is believed to be alive. Longer than any call it makes in between."""


class IdempotencyKeyRequired(BadRequest):
    """This call needs an Idempotency-Key, so that sending it twice does nothing twice."""


class IdempotencyKeyReused(Unprocessable):
    """This Idempotency-Key was used for another request."""


class IdempotencyInProgress(Conflict):
    """A request with this Idempotency-Key is still running; try again."""


@dataclass(frozen=True)
class Attempt:
    """One request under one key."""

    caller: UUID
    operation: str
    key: str
    request_hash: bytes

    async def claim(self, session: AsyncSession) -> None:
        """Go on only if nobody has answered this request or is about to; the claim ends with the transaction."""
        name = advisory_key(f"{self.caller} {self.operation} {self.key}")
        if not await session.scalar(_CLAIM, {"name": name}):
            raise IdempotencyInProgress(headers={"Retry-After": "1"})
        connection = await driver(session)
        row = await connection.fetchrow(_FIND, self.caller, self.operation, self.key, KEPT, LEASE)
        if row is None:
            return
        if row["request_hash"] != self.request_hash:
            raise IdempotencyKeyReused
        if row["status"] is not None:
            headers = {**row["headers"], "Idempotency-Replayed": "true"}
            raise EarlyAnswer(Response(row["body"], row["status"], headers, media_type="application/json"))
        if row["is_leased"]:
            raise IdempotencyInProgress(headers={"Retry-After": "1"})

    async def record(self, session: AsyncSession, answer: "Answer | None") -> None:
        """Write the row, over one that is out of date."""
        stored = (answer.status, json.dumps(answer.headers), answer.body) if answer else (None, None, None)
        connection = await driver(session)
        await connection.execute(_RECORD, self.caller, self.operation, self.key, self.request_hash, *stored)

    async def forget(self, session: AsyncSession) -> None:
        """Give the key back, unless it has its answer."""
        await session.execute(delete(IDEMPOTENCY_KEYS).where(self._is_this, IDEMPOTENCY_KEYS.c.status.is_(None)))

    @property
    def _is_this(self) -> ColumnElement[bool]:
        columns = IDEMPOTENCY_KEYS.c
        return and_(columns.caller == self.caller, columns.operation == self.operation, columns.key == self.key)


@dataclass(frozen=True)
class Answer:
    """What a replay sends again."""

    status: int
    headers: dict[str, str]
    body: str


class Idempotency:
    """What a route holds while it runs under a key."""

    def __init__(self, response: Response) -> None:
        self._response = response
        self.answer: Answer | None = None

    def keep(self, status: int, model: ModelT, *, headers: Mapping[str, str] | None = None) -> ModelT:
        """Answer with this, now and to every retry. Return what it returns."""
        self._response.status_code = status
        self._response.headers.update(headers or {})
        self.answer = Answer(status, dict(headers or {}), model.model_dump_json(by_alias=True))
        return model


class IdempotencyAcross(Idempotency):
    """For a route of two transactions, which calls somebody else in between.

        async with work() as session:
            await once.begin(session)
            payment = await service.open_payment(session, booking_id)
        checkout = await provider.initialize(payment)
        async with work() as session:
            payment = await service.await_checkout(session, payment.id, checkout)
            return await once.finish(session, 201, PaymentOut.model_validate(payment))

    A retry meanwhile gets 409. If the route raises, the key is free again at once; if its process dies, after `LEASE`.
    A retry then runs the route again: its first transaction must find what it wrote the last time by a row of its own.
    """

    def __init__(self, response: Response, attempt: Attempt) -> None:
        super().__init__(response)
        self._attempt = attempt
        self.begun = False

    async def begin(self, session: AsyncSession) -> None:
        """First thing in the first transaction."""
        await self._attempt.claim(session)
        await self._attempt.record(session, None)
        self.begun = True

    async def finish(
        self, session: AsyncSession, status: int, model: ModelT, *, headers: Mapping[str, str] | None = None
    ) -> ModelT:
        """Last thing in the second transaction: `keep`, and store it."""
        self.keep(status, model, headers=headers)
        await self._attempt.record(session, self.answer)
        return model


async def keyed(
    request: Request,
    user: CurrentUser,
    key: Annotated[
        str | None,
        Header(
            alias="Idempotency-Key",
            min_length=1,
            max_length=255,
            pattern=r"^[\x20-\x7e]+$",
            description="With it, sending this again repeats the answer and nothing else; required where money or"
            " nights move. Chosen by the client, new for each new wish: a UUID, say. Kept for 24 hours.",
        ),
    ] = None,
) -> Attempt | None:
    """Read the key, if there is one; the same request is the same method, address and body, byte for byte."""
    if key is None:
        return None
    route: APIRoute = request.scope["route"]
    digest = hashlib.sha256(request.url.path.encode() + b"\0" + await request.body()).digest()
    return Attempt(user.user_id, f"{request.method} {route.path_format}", key, digest)


Keyed = Annotated[Attempt | None, Depends(keyed)]


async def attempt(keyed: Keyed) -> Attempt:
    """Insist on the key."""
    if keyed is None:
        raise IdempotencyKeyRequired
    return keyed


AttemptDep = Annotated[Attempt, Depends(attempt)]


async def once_if_keyed(attempt: Keyed, session: SessionDep, response: Response) -> AsyncIterator[Idempotency]:
    """Ends after the route and before the commit of the session it shares with the route."""
    if attempt is not None:
        await attempt.claim(session)
    idempotency = Idempotency(response)
    yield idempotency
    if attempt is not None and idempotency.answer is not None:
        await attempt.record(session, idempotency.answer)


OnceIfKeyed = Annotated[Idempotency, Depends(once_if_keyed, scope="function")]


async def once(_: AttemptDep, idempotency: OnceIfKeyed) -> Idempotency:
    """The same, for those who must have a key."""
    return idempotency


async def once_across(attempt: AttemptDep, work: UnitOfWork, response: Response) -> AsyncIterator[IdempotencyAcross]:
    """Gives the key back when the route fails after it began."""
    idempotency = IdempotencyAcross(response, attempt)
    try:
        yield idempotency
    except Exception:
        if idempotency.begun:
            async with work() as session:
                await attempt.forget(session)
        raise


Once = Annotated[Idempotency, Depends(once)]
OnceAcross = Annotated[IdempotencyAcross, Depends(once_across, scope="function")]


async def prune(database: Database) -> None:
    """Forget the answers that are too old to be replayed; a service with these keys runs it once an hour."""
    async with database.unit_of_work() as session:
        await session.execute(delete(IDEMPOTENCY_KEYS).where(IDEMPOTENCY_KEYS.c.created_at < func.now() - KEPT))
