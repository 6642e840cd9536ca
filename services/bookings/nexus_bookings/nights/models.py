"""The nights that are taken: one row each. The primary key is why no night is sold twice."""

from datetime import date
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey
from sqlalchemy.orm import Mapped, mapped_column

from nexus_bookings.db import Base


class Night(Base):
    """One night of one unit, held or sold. No row, no claim."""

    __tablename__ = "nights"
    __table_args__ = (CheckConstraint("unit >= 1", name="unit"),)

    listing_id: Mapped[UUID] = mapped_column(primary_key=True)
    night: Mapped[date] = mapped_column(primary_key=True)
    """The date on which it begins, in the listing's zone."""
    unit: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    """Which of the listing's identical units, from 1."""
    booking_id: Mapped[UUID] = mapped_column(ForeignKey("bookings.id"), index=True)


class NightsVersion(Base):
    """Counts the changes of a listing's sold-out nights: the sequence of `NightsChanged`."""

    __tablename__ = "nights_versions"

    listing_id: Mapped[UUID] = mapped_column(primary_key=True)
    version: Mapped[int]
