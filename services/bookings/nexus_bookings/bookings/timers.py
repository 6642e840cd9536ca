"""What time does to bookings. `main.py` runs both every second, in one process at a time."""

from collections.abc import Awaitable, Callable

from nexus_kit.db import Database
from nexus_kit.runtime import Runtime
from sqlalchemy import ColumnElement, func, select
from sqlalchemy.ext.asyncio import AsyncSession

from nexus_bookings.bookings import service
from nexus_bookings.bookings.models import Booking, BookingStatus


async def expire_overdue(runtime: Runtime) -> None:
    """End the holds and requests whose time is up, and free their nights."""
    await _move_each(runtime.database, Booking.expires_at <= func.now(), service.expire)


async def complete_past(runtime: Runtime) -> None:
    """End the stays whose check-out has passed."""
    past = (Booking.status == BookingStatus.CONFIRMED) & (Booking.ends_at <= func.now())
    await _move_each(runtime.database, past, service.complete)


async def _move_each(
    database: Database, due: ColumnElement[bool], move: Callable[[AsyncSession, Booking], Awaitable[None]]
) -> None:
    """Each in its own small transaction. A row that somebody else holds is left to the next round."""
    next_due = select(Booking).where(due).limit(1).with_for_update(skip_locked=True)
    while True:
        async with database.unit_of_work() as session:
            booking = await session.scalar(next_due)
            if booking is None:
                return
            await move(session, booking)
