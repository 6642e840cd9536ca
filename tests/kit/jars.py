"""A service of one noun, for the kit's tests: jars of coins. Nothing here is about the kit's insides."""

import asyncio
from collections.abc import Sequence
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, FastAPI, Query, Response
from nexus_contracts.auth import UserDeleted, UserUpdated
from nexus_contracts.envelope import CloudEvent
from nexus_kit import context
from nexus_kit.app import create_app
from nexus_kit.auth import CurrentUser
from nexus_kit.conditional import Conditional, etag
from nexus_kit.db import SessionDep, UnitOfWork, Uuid7Pk, service_metadata
from nexus_kit.errors import BadGateway, Conflict, NotFound
from nexus_kit.idempotency import IDEMPOTENCY_KEYS, Once, OnceAcross, OnceIfKeyed
from nexus_kit.inbox import INBOX, Together
from nexus_kit.outbox import OUTBOX, emit
from nexus_kit.pages import CursorsDep, PageOf, PageQuery, paginate
from nexus_kit.ratelimit import by_user, limit
from nexus_kit.schemas import Body, Resource
from nexus_kit.settings import ServiceSettings
from pydantic import Field
from sqlalchemy import CheckConstraint, UniqueConstraint, delete, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column


class Base(DeclarativeBase):
    """The service's tables."""

    metadata = service_metadata(OUTBOX, INBOX, IDEMPOTENCY_KEYS)


class Jar(Base):
    """A jar of coins."""

    __tablename__ = "jars"
    __table_args__ = (
        CheckConstraint("coins <= 100", name="capacity"),
        # Checked by the commit: what the route did has long succeeded when this fails.
        UniqueConstraint("nickname", deferrable=True, initially="DEFERRED"),
    )

    id: Mapped[Uuid7Pk]
    owner_id: Mapped[UUID]
    label: Mapped[str]
    nickname: Mapped[str | None]
    coins: Mapped[int] = mapped_column(default=0)
    version: Mapped[int] = mapped_column(default=1)


class JarFull(Conflict):
    """The jar holds no more coins."""


class NicknameTaken(Conflict):
    """Another jar is called so."""


class BankFailed(BadGateway):
    """The bank did not answer."""


class NewJar(Body):
    """What makes a jar."""

    label: str = Field(min_length=1, max_length=100)
    nickname: str | None = None
    coins: int = 0


class JarOut(Resource):
    """A jar."""

    id: UUID
    label: str
    coins: int
    version: int


class JarQuery(PageQuery):
    """Which jars, and in which order."""

    label: str | None = None
    sort: str = "id"


class Bank:
    """Somebody slow outside, who must be asked between two transactions."""

    def __init__(self) -> None:
        self.open = asyncio.Event()
        self.open.set()
        self.asked = asyncio.Event()
        self.is_broken = False

    async def withdraw(self) -> None:
        self.asked.set()
        await self.open.wait()
        if self.is_broken:
            raise BankFailed


BANK = Bank()
router = APIRouter(tags=["jars"])


@router.post("/jars", status_code=201)
async def make(new: NewJar, owner: CurrentUser, session: SessionDep, once: Once) -> JarOut:
    """Make a jar."""
    jar = Jar(owner_id=owner.user_id, **new.model_dump())
    session.add(jar)
    await session.flush()
    await emit(session, UserUpdated(user_id=jar.id), sequence=jar.version)
    return once.keep(201, JarOut.model_validate(jar), headers={"Location": f"/api/v1/jars/{jar.id}"})


@router.post("/jars/{jar_id}/pebbles", status_code=201)
async def drop(jar_id: UUID, owner: CurrentUser, session: SessionDep, once: OnceIfKeyed) -> JarOut:
    """Put a pebble into the jar: one too many is no great harm."""
    jar = await _find(session, jar_id, owner.user_id, for_update=True)
    jar.coins += 1
    await session.flush()
    return once.keep(201, JarOut.model_validate(jar))


@router.post("/jars/{jar_id}/coins", status_code=201)
async def fill(jar_id: UUID, owner: CurrentUser, work: UnitOfWork, once: OnceAcross) -> JarOut:
    """Put a coin from the bank into the jar: two transactions."""
    async with work() as session:
        await once.begin(session)
        await _find(session, jar_id, owner.user_id)
    await BANK.withdraw()
    async with work() as session:
        jar = await _find(session, jar_id, owner.user_id)
        jar.coins += 1
        await session.flush()
        return await once.finish(session, 201, JarOut.model_validate(jar))


@router.get("/jars")
async def browse(
    owner: CurrentUser, query: Annotated[JarQuery, Query()], session: SessionDep, cursors: CursorsDep
) -> PageOf[JarOut]:
    """The caller's jars."""
    statement = select(Jar).where(Jar.owner_id == owner.user_id)
    if query.label:
        statement = statement.where(Jar.label == query.label)
    order = Jar.coins.desc() if query.sort == "-coins" else Jar.id
    rows, next_cursor = await paginate(session, statement.order_by(order, Jar.id), query, cursors, owner=owner.user_id)
    return PageOf(items=[JarOut.model_validate(row[0]) for row in rows], next_cursor=next_cursor)


@router.get("/jars/{jar_id}")
async def read(
    jar_id: UUID, owner: CurrentUser, session: SessionDep, conditions: Conditional, response: Response
) -> JarOut:
    """One jar."""
    jar = await _find(session, jar_id, owner.user_id)
    conditions.not_modified(response, jar.version)
    return JarOut.model_validate(jar)


@router.patch("/jars/{jar_id}")
async def change(
    jar_id: UUID, new: NewJar, *, owner: CurrentUser, session: SessionDep, conditions: Conditional, response: Response
) -> JarOut:
    """Relabel a jar."""
    jar = await _find(session, jar_id, owner.user_id, for_update=True)
    conditions.must_match(jar.version)
    jar.label, jar.version = new.label, jar.version + 1
    response.headers["ETag"] = etag(jar.version)
    return JarOut.model_validate(jar)


@router.get("/hello", dependencies=[limit("hello", per_minute=60, burst=3)])
async def hello() -> dict[str, str]:
    """Three at once from one address, then one a second."""
    return {"hello": "there"}


@router.get("/whoami", dependencies=[limit("whoami", per_minute=1, key=by_user)])
async def whoami(user: CurrentUser) -> dict[str, str]:
    """One a minute for each user."""
    return {"user_id": str(user.user_id)}


@router.get("/bug")
async def bug() -> dict[str, str]:
    """A fault of ours."""
    raise ZeroDivisionError("a detail that no client may see")


async def _find(session: AsyncSession, jar_id: UUID, owner_id: UUID, *, for_update: bool = False) -> Jar:
    statement = select(Jar).where(Jar.id == jar_id, Jar.owner_id == owner_id)
    jar = await session.scalar(statement.with_for_update() if for_update else statement)
    if jar is None:
        raise NotFound
    return jar


async def _make_jar_for_user(session: AsyncSession, event: CloudEvent[UserUpdated]) -> None:
    session.add(Jar(owner_id=event.data.user_id, label=f"a gift, by request {context.REQUEST_ID.get()}"))
    await session.flush()


async def _break_jars_of_users(session: AsyncSession, events: Sequence[CloudEvent[UserDeleted]]) -> None:
    await session.execute(delete(Jar).where(Jar.owner_id.in_([event.data.user_id for event in events])))


def build() -> FastAPI:
    """The app, as a service's `main.py` builds it. It borrows the name of a real service, which the kit insists on."""
    return create_app(
        name="bookings",
        title="Jars",
        description="Jars of coins.",
        settings=ServiceSettings(),
        routers=[router],
        constraints={"ck_jars_capacity": JarFull, "uq_jars_nickname": NicknameTaken},
        consumes={UserUpdated: _make_jar_for_user, UserDeleted: Together(_break_jars_of_users)},
        public={"GET /api/v1/hello", "GET /api/v1/bug"},
    )
