"""What happened to each booking: a line per version. `service.py` writes it when the move is told, and never again."""

from typing import Self
from uuid import UUID

from nexus_contracts.bookings import BookingFact, Party
from nexus_kit.db import Timestamp
from sqlalchemy import ForeignKey, text
from sqlalchemy.orm import Mapped, mapped_column

from nexus_bookings.bookings.models import Booking, BookingStatus
from nexus_bookings.db import Base, one_of


class BookingMove(Base):
    """One move: the booking's version names it, so two moves can never be one line."""

    __tablename__ = "booking_moves"

    booking_id: Mapped[UUID] = mapped_column(ForeignKey("bookings.id"), primary_key=True)
    version: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    """The booking's, which the move made: the sequence of the event that told it."""
    what: Mapped[str]
    """As its event calls it: `confirmed` for `nexus.bookings.booking.confirmed.v1`."""
    status: Mapped[BookingStatus] = mapped_column(one_of(BookingStatus, "status"))
    """Where the booking stood after it."""
    by: Mapped[Party] = mapped_column(one_of(Party, "by"))
    why: Mapped[str | None]
    """In plain words, where it needs any."""
    at: Mapped[Timestamp | None] = mapped_column(server_default=text("now()"))
    """None: before moves were kept."""

    @classmethod
    def of(cls, fact: type[BookingFact], booking: Booking, by: Party, why: str | None) -> Self:
        """The line that belongs to an event of the booking."""
        what = fact.TYPE.split(".")[3]
        return cls(booking_id=booking.id, version=booking.version, what=what, status=booking.status, by=by, why=why)
