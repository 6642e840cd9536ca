"""The tables' common ground: every model of this service derives from `Base`.

Alembic compares its metadata with the database. `main.py` has every connection planned by `plan_by_values`.
"""

from enum import StrEnum
from typing import Any

from nexus_contracts.listings import CancellationPolicy, ListingStatus
from nexus_kit.db import service_metadata
from nexus_kit.idempotency import IDEMPOTENCY_KEYS
from nexus_kit.inbox import INBOX
from nexus_kit.outbox import OUTBOX
from sqlalchemy import Enum, event
from sqlalchemy.ext.asyncio import AsyncEngine
from sqlalchemy.orm import DeclarativeBase


def stored_by_value(kind: type[StrEnum]) -> Enum:
    """Text in the database, where a CHECK names the values; a member in Python."""
    return Enum(kind, native_enum=False, length=20, values_callable=lambda members: [each.value for each in members])


class Base(DeclarativeBase):
    """All tables of the listings database."""

    metadata = service_metadata(OUTBOX, INBOX, IDEMPOTENCY_KEYS)
    type_annotation_map = {
        ListingStatus: stored_by_value(ListingStatus),
        CancellationPolicy: stored_by_value(CancellationPolicy),
    }


def plan_by_values(engine: AsyncEngine) -> None:
    """Have PostgreSQL plan each statement for its values: a few matches are found another way than half of all.

    And have it do nothing that takes milliseconds to set up: compiling, workers, a table of whole listings.
    """

    @event.listens_for(engine.sync_engine, "connect")
    def connected(connection: Any, _: object) -> None:
        connection.run_async(
            lambda driver: driver.execute(
                "SET plan_cache_mode = force_custom_plan; SET jit = off;"
                " SET max_parallel_workers_per_gather = 0; SET enable_memoize = off"
            )
        )
