"""The tables' common ground: every model of this service derives from `Base`.

Alembic compares its metadata with the database.
"""

from enum import StrEnum

from nexus_contracts.listings import CancellationPolicy, ListingStatus
from nexus_kit.db import service_metadata
from nexus_kit.inbox import INBOX
from nexus_kit.outbox import OUTBOX
from sqlalchemy import Enum
from sqlalchemy.orm import DeclarativeBase


def _stored_by_value(kind: type[StrEnum]) -> Enum:
    """Text in the database, where a CHECK names the values; a member in Python."""
    return Enum(kind, native_enum=False, length=20, values_callable=lambda members: [each.value for each in members])


class Base(DeclarativeBase):
    """All tables of the listings database."""

    metadata = service_metadata(OUTBOX, INBOX)
    type_annotation_map = {
        ListingStatus: _stored_by_value(ListingStatus),
        CancellationPolicy: _stored_by_value(CancellationPolicy),
    }
