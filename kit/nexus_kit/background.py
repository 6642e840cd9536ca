"""Work that a service does by itself: by one process at a time, however many of them run.

`app.create_app` starts the relay and the service's periodic work here; the leader is whoever holds a session-level
advisory lock, which PostgreSQL gives back by itself when that process dies.
"""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import structlog
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from nexus_kit import context
from nexus_kit.db import Database, advisory_key

if TYPE_CHECKING:
    from nexus_kit.runtime import Runtime

log = structlog.get_logger(__name__)

_PATIENCE = 1.0
"""Seconds between two tries to become the leader, and after a failure."""


@dataclass(frozen=True)
class Periodic:
    """Run `work` every `seconds` (counted from its end), in the leading process only.

    Leadership may pass over while the old leader still works, so `work` must be harmless when two run at once.
    """

    name: str
    seconds: float
    work: Callable[["Runtime"], Awaitable[Any]]


async def lead(database: Database, name: str, work: Callable[[AsyncConnection], Awaitable[None]]) -> None:
    """Become the leader for `name`, then await `work` with the connection that holds the lock; for ever.

    Losing the connection is losing the lock: `work` must use the connection, so that it notices.
    """
    while True:
        try:
            async with database.engine.connect() as connection:
                await connection.execution_options(isolation_level="AUTOCOMMIT")
                while not await _try_lock(connection, name):  # noqa: ASYNC110 - nothing tells when it is free
                    await asyncio.sleep(_PATIENCE)
                try:
                    await work(connection)
                finally:
                    # Otherwise the pool would keep the connection, and with it the lock.
                    await connection.invalidate()
        except Exception as exc:  # noqa: BLE001 - whatever failed (database or Redis away, a bug), trying again is all there is
            log.warning("background work failed", work=name, error=repr(exc))
            await asyncio.sleep(_PATIENCE)


async def run_periodics(runtime: "Runtime", periodics: list[Periodic]) -> None:
    """Lead for the service's periodic work."""

    async def work(connection: AsyncConnection) -> None:
        async with asyncio.TaskGroup() as tasks:
            for periodic in periodics:
                tasks.create_task(_repeat(runtime, periodic), name=periodic.name)
            while True:  # the heartbeat: it fails, and ends the group, when the lock is lost
                await connection.execute(text("SELECT 1"))
                await asyncio.sleep(_PATIENCE)

    await lead(runtime.database, f"{runtime.name}:periodic", work)


async def _repeat(runtime: "Runtime", periodic: Periodic) -> None:
    while True:
        try:
            with context.working_for(None, None):
                await periodic.work(runtime)
        except Exception as exc:  # noqa: BLE001 - one failed round must not end the others
            log.warning("periodic work failed", work=periodic.name, error=repr(exc))
        await asyncio.sleep(periodic.seconds)


async def _try_lock(connection: AsyncConnection, name: str) -> bool:
    answer = await connection.execute(text("SELECT pg_try_advisory_lock(:key)"), {"key": advisory_key(name)})
    return bool(answer.scalar_one())
