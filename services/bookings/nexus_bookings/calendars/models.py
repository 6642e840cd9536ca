"""A listing's calendar address for other sites, the calendars that it follows, and the log of looking at those.

`service.py` writes them; the nights that a followed calendar takes are rows in `nights`, as all taken nights are.
"""

import secrets
from datetime import date
from enum import StrEnum
from uuid import UUID

from nexus_kit.db import CreatedAt, Timestamp, Uuid7Pk
from sqlalchemy import Date, ForeignKey, Index, Text, UniqueConstraint, text
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.orm import Mapped, mapped_column

from nexus_bookings.db import Base, one_of


def new_secret() -> str:
    """192 bits that nobody guesses."""
    return secrets.token_urlsafe(24)


class CalendarAddress(Base):
    """Where other sites read which nights of a listing are taken: whoever has the secret may."""

    __tablename__ = "calendar_addresses"

    listing_id: Mapped[UUID] = mapped_column(primary_key=True)
    secret: Mapped[str] = mapped_column(Text, unique=True, default=new_secret)
    """The last part of the address. A new one makes the former address worthless."""
    created_at: Mapped[CreatedAt]


class Calendar(Base):
    """Somebody else's calendar: what is taken there is closed here."""

    __tablename__ = "calendars"
    __table_args__ = (
        UniqueConstraint("listing_id", "url"),
        Index("ix_calendars_sync_at", "sync_at"),
    )

    id: Mapped[Uuid7Pk]
    listing_id: Mapped[UUID]
    host_id: Mapped[UUID]
    """Who follows it: the listing's host."""
    name: Mapped[str] = mapped_column(Text)
    """For the host's eyes."""
    url: Mapped[str] = mapped_column(Text)
    """Often a secret itself: it is shown to the host, and not logged."""
    etag: Mapped[str | None] = mapped_column(Text)
    """Of the content that was taken over last."""
    sync_at: Mapped[Timestamp] = mapped_column(server_default=text("now()"))
    """When to look (again)."""
    failures: Mapped[int] = mapped_column(default=0)
    """How often in a row it could not be read."""
    conflicted: Mapped[int] = mapped_column(default=0)
    """How often its host was told of a conflict: the sequence of those facts."""
    created_at: Mapped[CreatedAt]


class Outcome(StrEnum):
    """What came of looking at a calendar."""

    SYNCED = "synced"
    """Its nights were taken over."""
    UNCHANGED = "unchanged"
    """It is as it was."""
    FAILED = "failed"
    """It could not be read: what it took before stays closed."""


class CalendarSync(Base):
    """One look at a calendar that changed something or failed; the newest of several that found nothing new."""

    __tablename__ = "calendar_syncs"
    __table_args__ = (Index("ix_calendar_syncs_calendar_id", "calendar_id", "id"),)

    id: Mapped[Uuid7Pk]
    calendar_id: Mapped[UUID] = mapped_column(ForeignKey("calendars.id", ondelete="CASCADE"))
    at: Mapped[Timestamp] = mapped_column(server_default=text("now()"))
    outcome: Mapped[Outcome] = mapped_column(one_of(Outcome, "outcome"))
    events: Mapped[int] = mapped_column(default=0)
    """How many were taken over."""
    closed: Mapped[int] = mapped_column(default=0)
    opened: Mapped[int] = mapped_column(default=0)
    """Nights that it closed and opened, each unit counted."""
    conflicts: Mapped[list[date]] = mapped_column(ARRAY(Date), default=list)
    """Nights that it takes and that are sold here: somebody must call a guest."""
    ignored: Mapped[list[str]] = mapped_column(ARRAY(Text), default=list)
    """What was left out, and why; at most 20 lines."""
    error: Mapped[str | None] = mapped_column(Text)
    """Why it failed."""
