"""Who waits for nights that are sold out. First come, first served: by id, which is in the order of time."""

from datetime import date
from enum import StrEnum
from uuid import UUID

from nexus_kit.db import CreatedAt, Uuid7Pk
from sqlalchemy import CheckConstraint, ForeignKey, Index, text
from sqlalchemy.orm import Mapped, mapped_column

from nexus_bookings.db import Base, one_of


class EntryStatus(StrEnum):
    """Where an entry stands."""

    WAITING = "waiting"
    """In line."""
    OFFERED = "offered"
    """Nights became free: there is a booking, which holds them for this guest."""
    ENDED = "ended"
    """The dates have passed, or cannot be booked any more."""


class WaitingEntry(Base):
    """One guest who would have this stay if it became free."""

    __tablename__ = "waiting_entries"
    __table_args__ = (
        CheckConstraint("check_out > check_in", name="dates"),
        CheckConstraint("(status = 'offered') = (booking_id IS NOT NULL)", name="offered"),
        CheckConstraint("status = 'waiting' OR NOT due", name="due"),
        Index("ix_waiting_entries_guest_id", "guest_id", "id"),
        Index("ix_waiting_entries_waiting", "listing_id", "id", postgresql_where=text("status = 'waiting'")),
        Index("ix_waiting_entries_due", "listing_id", "id", postgresql_where=text("due")),
    )

    id: Mapped[Uuid7Pk]
    guest_id: Mapped[UUID]
    listing_id: Mapped[UUID]
    listing_title: Mapped[str]
    check_in: Mapped[date]
    check_out: Mapped[date]
    guests: Mapped[int]
    status: Mapped[EntryStatus] = mapped_column(one_of(EntryStatus, "status"), default=EntryStatus.WAITING)
    due: Mapped[bool] = mapped_column(default=False)
    """Nights of it became free since it was looked at: until it is, nobody further behind gets them."""
    booking_id: Mapped[UUID | None] = mapped_column(ForeignKey("bookings.id"))
    """The offer."""
    created_at: Mapped[CreatedAt]
