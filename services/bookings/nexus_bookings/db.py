"""The tables' common ground: every model of this service derives from `Base`.

Alembic compares its metadata with the database; `constraints.py` names what the database may refuse.
"""

from enum import StrEnum

from nexus_kit.db import service_metadata
from nexus_kit.idempotency import IDEMPOTENCY_KEYS
from nexus_kit.inbox import INBOX
from nexus_kit.outbox import OUTBOX
from sqlalchemy import Enum
from sqlalchemy.orm import DeclarativeBase


class Base(DeclarativeBase):
    """All tables of the bookings database."""

    metadata = service_metadata(OUTBOX, INBOX, IDEMPOTENCY_KEYS)


def one_of(kind: type[StrEnum], constraint: str) -> Enum:
    """A text column that holds the values of an enum; the database checks it, by a constraint of that name."""
    return Enum(
        kind,
        name=constraint,
        native_enum=False,
        create_constraint=True,
        length=20,
        values_callable=lambda members: [member.value for member in members],
    )
