"""PostgreSQL: the engine, the one place that commits, and how a database error becomes a problem.

Routes ask for `SessionDep`, or for `ReadingDep` when they only read; background work and tests use
`Database.unit_of_work`.
"""

import asyncio
import hashlib
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager, contextmanager
from datetime import datetime
from typing import Annotated, Any, TypeVar
from uuid import UUID

import asyncpg
import orjson
from fastapi import Depends, Request
from pydantic import BaseModel, TypeAdapter
from sqlalchemy import BigInteger, DateTime, Dialect, MetaData, Table, event, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.exc import DBAPIError, DisconnectionError, IntegrityError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncSession, async_sessionmaker, create_async_engine
from sqlalchemy.orm import DeclarativeBase, make_transient_to_detached, mapped_column
from sqlalchemy.types import TypeDecorator

from nexus_kit.errors import Busy, Problem, Unavailable

T = TypeVar("T")
AroundCommit = Callable[[], AbstractAsyncContextManager[None]]

NAMING_CONVENTION = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "fk": "fk_%(table_name)s_%(column_0_name)s_%(referred_table_name)s",
    "pk": "pk_%(table_name)s",
}

Uuid7Pk = Annotated[UUID, mapped_column(primary_key=True, server_default=text("uuidv7()"))]
Timestamp = Annotated[datetime, mapped_column(DateTime(timezone=True))]
CreatedAt = Annotated[datetime, mapped_column(DateTime(timezone=True), server_default=text("now()"))]
BigInt = Annotated[int, mapped_column(BigInteger)]

# lock_not_available, serialization_failure, deadlock_detected: somebody else was first, so trying again may do.
_CONFLICTS = {"55P03", "40001", "40P01"}

_ANYTHING = text("SELECT")
_LOCK = "SAVEPOINT unlocked; SET LOCAL lock_timeout = '2s'; SELECT pg_advisory_xact_lock({})"


class Document(TypeDecorator[Any]):
    """A JSONB column that holds a pydantic shape: for what is kept as it was and never searched."""

    impl = JSONB
    cache_ok = True

    def __init__(self, shape: Any) -> None:
        """`shape` is a pydantic model, or a list of one."""
        super().__init__()
        self.shape = shape
        self._adapter = TypeAdapter[Any](shape)

    def process_bind_param(self, value: Any, dialect: Dialect) -> Any:
        """To JSON."""
        return None if value is None else self._adapter.dump_python(value, mode="json")

    def process_result_value(self, value: Any, dialect: Dialect) -> Any:
        """Back to the shape."""
        return None if value is None else self._adapter.validate_python(value)


def service_metadata(*kit_tables: Table) -> MetaData:
    """The metadata of one service: our constraint names, and the kit's tables that the service uses."""
    metadata = MetaData(naming_convention=NAMING_CONVENTION)
    for table in kit_tables:
        table.to_metadata(metadata)
    return metadata


class Database:
    """One service's own database. `constraints` is its map from a constraint's name to what the client is told."""

    def __init__(
        self, url: str, *, pool_size: int = 10, constraints: Mapping[str, type[Problem]] | None = None
    ) -> None:
        self.engine = create_async_engine(
            url,
            pool_size=pool_size,
            max_overflow=0,
            pool_timeout=15,
            json_deserializer=orjson.loads,
            hide_parameters=True,  # an error is logged, and its parameters may be somebody's address or bank account
        )
        event.listen(self.engine.sync_engine, "checkout", _refuse_closed)
        self.sessions = async_sessionmaker(self.engine, expire_on_commit=False)
        self._without_transaction = self.engine.execution_options(isolation_level="AUTOCOMMIT")
        self.constraints = constraints or {}
        # Set by every commit that wrote an outbox row, so that the relay need not wait for its next look.
        self.outbox_written = asyncio.Event()

    @asynccontextmanager
    async def unit_of_work(self) -> AsyncIterator[AsyncSession]:
        """One transaction, committed once at the end of the block; any exception rolls it back.

        What was given to `around_commit` is over before whoever opened the block goes on.
        """
        with self._explaining():
            async with self.sessions() as session, AsyncExitStack() as around:
                async with session.begin():
                    yield session
                    for enter in session.info.get("around_commit", ()):
                        await around.enter_async_context(enter())
                if session.info.get("outbox"):
                    self.outbox_written.set()

    @asynccontextmanager
    async def reading(self) -> AsyncIterator[AsyncConnection]:
        """To read, and never to write: each statement sees what is committed when it starts, as in `unit_of_work`.

        Without a transaction, which would take two round trips more, and without a session to keep what was read.
        """
        with self._explaining():
            async with self._without_transaction.connect() as connection:
                yield connection

    @contextmanager
    def _explaining(self) -> Iterator[None]:
        try:
            yield
        except (DBAPIError, PoolTimeout, OSError, asyncpg.PostgresError) as exc:
            raise self.explain(exc) from exc

    def explain(self, exc: Exception) -> Exception:
        """The problem that a database error means to a client, or the error itself when it is a fault of ours."""
        if isinstance(exc, PoolTimeout):
            return Busy("The database is busy.")
        if isinstance(exc, IntegrityError | asyncpg.IntegrityConstraintViolationError):
            problem = self.constraints.get(constraint_name(exc) or "")
            return problem() if problem else exc
        if sqlstate(exc) in _CONFLICTS:
            return Busy()
        unreachable = isinstance(exc, OSError) or (isinstance(exc, DBAPIError) and exc.connection_invalidated)
        # 57P0x: the server is stopping or starting; 53300: it has no connection left.
        if unreachable or (sqlstate(exc) or "").startswith(("57P", "53", "08")):
            return Unavailable("The database does not answer.")
        return exc


def _refuse_closed(connection: Any, *_: Any) -> None:
    """Have the pool connect again: asyncpg saw the server close it. `pool_pre_ping` would ask, in three round trips."""
    if connection.driver_connection.is_closed():
        raise DisconnectionError


async def unit_of_work(request: Request) -> Callable[[], AbstractAsyncContextManager[AsyncSession]]:
    """The dependency behind `UnitOfWork`: for the rare route that needs two transactions, and says why."""
    database: Database = request.app.state.runtime.database
    return database.unit_of_work


async def session(request: Request) -> AsyncIterator[AsyncSession]:
    """The dependency behind `SessionDep`."""
    database: Database = request.app.state.runtime.database
    async with database.unit_of_work() as opened:
        yield opened


async def reading(request: Request) -> AsyncIterator[AsyncConnection]:
    """The dependency behind `ReadingDep`."""
    database: Database = request.app.state.runtime.database
    async with database.reading() as opened:
        yield opened


# scope="function": the commit happens before the response is sent, so a client never holds a 200 that did not happen.
SessionDep = Annotated[AsyncSession, Depends(session, scope="function")]
ReadingDep = Annotated[AsyncConnection, Depends(reading, scope="function")]
UnitOfWork = Annotated[Callable[[], AbstractAsyncContextManager[AsyncSession]], Depends(unit_of_work)]


def around_commit(session: AsyncSession, enter: AroundCommit) -> None:
    """Commit this transaction inside `enter()`, which is left before the response is sent, even if the commit fails.

    Only when the commit is reached; once, however often it is given.
    """
    session.info.setdefault("around_commit", {})[enter] = None


async def driver(session: AsyncSession) -> "asyncpg.Connection[asyncpg.Record]":
    """asyncpg's own connection, in the session's transaction: for the statements of the hottest paths.

    What is pending in the session is written first. A document goes in as JSON text and comes out read.
    """
    if session.new or session.dirty or session.deleted:
        await session.flush()
    # Each time, not once: a savepoint that the session has begun is sent only when its connection is asked for.
    pooled = await (await session.connection()).get_raw_connection()
    connection: asyncpg.Connection[asyncpg.Record] | None = pooled.driver_connection
    assert connection is not None
    if not connection.is_in_transaction():
        await session.execute(_ANYTHING)  # SQLAlchemy begins the transaction with the first statement it is given
    return connection


async def insert(session: AsyncSession, row: DeclarativeBase) -> None:
    """Write a new row as adding it and a flush would, at a tenth of the cost: for the hottest paths.

    What is not set is what the database says, as asyncpg reads it: no default of Python's, no enum, no `Document`.
    """
    columns, known = row.__table__.columns.keys(), vars(row)
    given = [name for name in columns if name in known]
    told = [name for name in columns if name not in known]
    places = ", ".join(f"${place}" for place in range(1, len(given) + 1))
    statement = f"INSERT INTO {row.__tablename__} ({', '.join(given)}) VALUES ({places}) RETURNING {', '.join(told)}"  # noqa: S608 - names of columns
    values = [value.model_dump_json() if isinstance(value := known[name], BaseModel) else value for name in given]
    connection = await driver(session)
    for name, value in (await connection.fetchrow(statement, *values)).items():
        setattr(row, name, value)
    make_transient_to_detached(row)
    session.add(row)


async def lock(session: AsyncSession, key: UUID | str, *, tries: int = 3) -> None:
    """Hold an advisory lock on `key` until the transaction ends. Waits 2 s at most, so many times; then 503.

    A statement of its own, so that the next one sees what the former holder has committed.
    """
    connection = await driver(session)
    for left in reversed(range(tries)):
        try:
            await connection.execute(_LOCK.format(advisory_key(key)))
        except asyncpg.LockNotAvailableError as exc:
            if not left:
                raise Busy from exc
            await connection.execute("ROLLBACK TO SAVEPOINT unlocked")
        else:
            return


def advisory_key(key: UUID | str) -> int:
    """A signed 64-bit number for PostgreSQL's advisory locks."""
    return int.from_bytes(hashlib.blake2b(str(key).encode(), digest_size=8).digest(), "big", signed=True)


def sqlstate(exc: BaseException) -> str | None:
    """The five-character code of PostgreSQL's error, if it is one."""
    return getattr(exc, "sqlstate", None) or getattr(getattr(exc, "orig", None), "sqlstate", None)


def constraint_name(exc: IntegrityError | asyncpg.IntegrityConstraintViolationError) -> str | None:
    """The name of the constraint that refused the row."""
    told = exc.orig.__cause__ if isinstance(exc, IntegrityError) and exc.orig else exc
    return getattr(told, "constraint_name", None)
