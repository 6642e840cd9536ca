"""The nights that are taken: one row each. The primary key is why no night is sold twice."""

from datetime import date
from enum import StrEnum
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, Index, text
from sqlalchemy.orm import Mapped, mapped_column

from nexus_bookings.db import Base, one_of


class ClosedBy(StrEnum):
    """Why a unit is not offered for a night although nobody booked it."""

    HOST = "host"
    """The host closed it."""
    CALENDAR = "calendar"
    """Another site's calendar says that it is taken."""
    CANCELLATION = "cancellation"
    """The host cancelled the booking that had it."""


class Night(Base):
    """One night of one unit: held or sold by a booking, or closed. No row, no claim."""

    __tablename__ = "nights"
    __table_args__ = (
        CheckConstraint("unit >= 1", name="unit"),
        CheckConstraint("num_nonnulls(booking_id, closed_by) = 1", name="claim"),
        Index("ix_nights_closed", "night", postgresql_where=text("closed_by IS NOT NULL")),
        Index("ix_nights_calendar_id", "calendar_id", postgresql_where=text("calendar_id IS NOT NULL")),
    )

    listing_id: Mapped[UUID] = mapped_column(primary_key=True)
    night: Mapped[date] = mapped_column(primary_key=True)
    """The date on which it begins, in the listing's zone."""
    unit: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    """Which of the listing's identical units, from 1."""
    booking_id: Mapped[UUID | None] = mapped_column(ForeignKey("bookings.id"), index=True)
    """Whose it is; null: it is closed."""
    closed_by: Mapped[ClosedBy | None] = mapped_column(one_of(ClosedBy, "closed_by"))
    """Why it is closed; null: it is booked."""
    calendar_id: Mapped[UUID | None] = mapped_column(ForeignKey("calendars.id"))
    """The calendar that closed it."""


class NightsVersion(Base):
    """Counts the changes of a listing's sold-out nights: the sequence of `NightsChanged`."""

    __tablename__ = "nights_versions"

    listing_id: Mapped[UUID] = mapped_column(primary_key=True)
    version: Mapped[int]
