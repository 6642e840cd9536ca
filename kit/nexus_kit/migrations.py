"""Runs a service's migrations, and tells whether a database is up to date with them.

Each `migrations/env.py` calls `run`; the app's readiness calls `heads` and compares.
"""

import asyncio
from functools import cache
from pathlib import Path

from alembic import context
from alembic.config import Config
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, MetaData, text
from sqlalchemy.ext.asyncio import create_async_engine

from nexus_kit.settings import DatabaseSettings

# One migration job at a time per database, however many were started.
_ADVISORY_LOCK = 0x6E65787573


def run(metadata: MetaData) -> None:
    """Bring the database at NEXUS_DATABASE_URL to the newest revision: called by `alembic upgrade head`."""
    asyncio.run(_run(metadata, DatabaseSettings().database_url.get_secret_value()))


async def _run(metadata: MetaData, url: str) -> None:
    engine = create_async_engine(url)
    async with engine.begin() as connection:
        await connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _ADVISORY_LOCK})
        # A migration that waits for a lock holds up every query behind it: better to fail and be run again.
        await connection.execute(text("SET LOCAL lock_timeout = '5s'"))
        await connection.run_sync(_migrate, metadata)
    await engine.dispose()


def _migrate(connection: Connection, metadata: MetaData) -> None:
    context.configure(connection=connection, target_metadata=metadata, compare_type=True, compare_server_default=True)
    context.run_migrations()


@cache
def heads(alembic_ini: Path) -> frozenset[str]:
    """The newest revisions that this code knows."""
    return frozenset(ScriptDirectory.from_config(Config(alembic_ini)).get_heads())
