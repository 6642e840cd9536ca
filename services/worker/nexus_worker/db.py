"""The worker's own tables: what has been reacted to (the kit's inbox), and what could not be."""

from datetime import datetime
from typing import Any
from uuid import UUID

from nexus_kit.db import CreatedAt, service_metadata
from nexus_kit.inbox import INBOX
from sqlalchemy import BigInteger, DateTime, Identity, Text, UniqueConstraint
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column


class Base(DeclarativeBase):
    """All tables of the database nexus_worker."""

    metadata = service_metadata(INBOX)


class DeadLetter(Base):
    """One reaction to one event that was given up. Redelivering it closes the row; failing again opens it anew."""

    __tablename__ = "dead_letters"
    __table_args__ = (UniqueConstraint("event_id", "reaction"),)

    id: Mapped[int] = mapped_column(BigInteger, Identity(always=True), primary_key=True)
    event_id: Mapped[UUID]
    event: Mapped[dict[str, Any]] = mapped_column(JSONB)
    """The whole CloudEvent, as it was read."""
    reaction: Mapped[str] = mapped_column(Text)
    """Its name in `reactions.py`."""
    error: Mapped[str] = mapped_column(Text)
    """Why the last try failed. Holds no personal data."""
    attempts: Mapped[int]
    created_at: Mapped[CreatedAt]
    redelivered_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
    """When somebody sent it round again; null while it waits for that."""
