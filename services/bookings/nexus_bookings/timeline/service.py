"""Keeps and shows what happened to a booking. `bookings.service.tell` records each move; `routes.py` reads them."""

from collections.abc import Sequence
from uuid import UUID

from nexus_contracts.bookings import BookingFact, Party
from nexus_kit.db import insert
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from nexus_bookings.bookings.models import Booking
from nexus_bookings.timeline.models import BookingMove


async def record(
    session: AsyncSession, fact: type[BookingFact], booking: Booking, by: Party, why: str | None = None
) -> None:
    """Write down a move that the booking has just made: it is there if and only if the transaction commits."""
    await insert(session, BookingMove.of(fact, booking, by, why))


async def of_booking(session: AsyncSession, booking_id: UUID) -> Sequence[BookingMove]:
    """All moves, oldest first."""
    moves = select(BookingMove).where(BookingMove.booking_id == booking_id).order_by(BookingMove.version)
    return (await session.scalars(moves)).all()
