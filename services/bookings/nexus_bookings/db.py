"""The tables' common ground: every model of this service derives from `Base`.

Alembic compares its metadata with the database; `constraints.py` names what the database may refuse.
"""

from enum import StrEnum
from typing import Any

from nexus_kit.db import service_metadata
from nexus_kit.idempotency import IDEMPOTENCY_KEYS
from nexus_kit.inbox import INBOX
from nexus_kit.outbox import OUTBOX
from pydantic import TypeAdapter
from sqlalchemy import Dialect, Enum
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import DeclarativeBase
from sqlalchemy.types import TypeDecorator


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
