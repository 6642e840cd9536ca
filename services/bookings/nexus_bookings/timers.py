"""What happens without a request: `main.py` hands `background` to the kit, which runs it in one process at a time."""

from collections.abc import Awaitable, Callable
from datetime import timedelta
from uuid import UUID

import structlog
from nexus_kit import idempotency
from nexus_kit.background import Periodic
from nexus_kit.db import Database
from nexus_kit.runtime import Runtime
from prometheus_client import Counter
from sqlalchemy import Select, delete, func, select
from sqlalchemy.ext.asyncio import AsyncSession

from nexus_bookings.attention import service as attention
from nexus_bookings.bookings import service
from nexus_bookings.bookings.models import Booking, BookingStatus
from nexus_bookings.calendars import service as follow
from nexus_bookings.calendars.provider import CalendarReader
from nexus_bookings.changes import service as changes
from nexus_bookings.changes.models import BookingChange
from nexus_bookings.nights import service as nights
from nexus_bookings.payments.models import WebhookReceipt
from nexus_bookings.payments.provider import PaymentProvider
from nexus_bookings.payouts import service as payouts
from nexus_bookings.quotes import service as quotes
from nexus_bookings.refunds import service as refunds
from nexus_bookings.settlement import service as settlement
from nexus_bookings.waiting_list import service as waiting_list
from nexus_bookings.waiting_list.service import OfferTerms

log = structlog.get_logger(__name__)

FAILED_MOVES = Counter("bookings_failed_moves", "Moves that time asks of a booking and that failed.", ["move"])


def background(provider: PaymentProvider, calendars: CalendarReader, offers: OfferTerms) -> list[Periodic]:
    """Everything, with the seconds between two rounds."""
    return [
        Periodic("expire holds", 1.0, expire_overdue),
        Periodic("expire changes", 1.0, expire_changes),
        Periodic("complete stays", 1.0, complete_past),
        Periodic("offer freed nights", 1.0, lambda runtime: waiting_list.offer_freed(runtime, offers)),
        Periodic("settle payments", 0.3, lambda runtime: settlement.reconcile(runtime, provider)),
        Periodic("carry out refunds", 0.5, lambda runtime: refunds.execute(runtime, provider)),
        Periodic("carry out payouts", 0.5, lambda runtime: payouts.execute(runtime, provider)),
        Periodic("count what needs a person", 10.0, attention.count),
        Periodic("refresh calendars", 2.0, lambda runtime: follow.refresh(runtime, calendars)),
        Periodic("forget idempotency keys", 3600.0, lambda runtime: idempotency.prune(runtime.database)),
        Periodic("forget quotes", 3600.0, lambda runtime: quotes.forget_unused(runtime.database)),
        Periodic("forget closed nights", 3600.0, forget_closed_nights),
        Periodic("end waiting for the past", 3600.0, end_waiting_for_the_past),
        Periodic("forget webhooks", 3600.0, forget_webhooks),
    ]


async def expire_overdue(runtime: Runtime) -> None:
    """End the holds and requests whose time is up, and free their nights."""
    due = select(Booking).where(Booking.expires_at <= func.now())
    await _move_each(runtime.database, "expire", due, service.expire)


async def expire_changes(runtime: Runtime) -> None:
    """End the changes whose time is up, and free the nights that only they wanted."""
    due = select(Booking).join(BookingChange, BookingChange.booking_id == Booking.id)
    due = due.where(BookingChange.expires_at <= func.now())
    await _move_each(runtime.database, "expire_change", due, changes.expire)


async def complete_past(runtime: Runtime) -> None:
    """End the stays whose check-out has passed."""
    past = (Booking.status == BookingStatus.CONFIRMED) & (Booking.ends_at <= func.now())
    await _move_each(runtime.database, "complete", select(Booking).where(past), service.complete)


async def forget_closed_nights(runtime: Runtime) -> None:
    """Nobody asks why a night that is over was not offered."""
    async with runtime.database.unit_of_work() as session:
        await nights.forget_past(session)


async def end_waiting_for_the_past(runtime: Runtime) -> None:
    """Nothing will become free for them."""
    async with runtime.database.unit_of_work() as session:
        await waiting_list.end_past(session)


async def forget_webhooks(runtime: Runtime) -> None:
    """Chapa repeats a webhook for three days."""
    async with runtime.database.unit_of_work() as session:
        old = WebhookReceipt.received_at < func.now() - timedelta(days=7)
        await session.execute(delete(WebhookReceipt).where(old))


async def _move_each(
    database: Database, name: str, due: Select[Booking], move: Callable[[AsyncSession, Booking], Awaitable[None]]
) -> None:
    """Each in its own small transaction. A row that somebody else holds is left to the next round, and so is one that
    cannot be moved: the others are not to blame.
    """
    failed: list[UUID] = []
    while True:
        next_due = due.where(Booking.id.not_in(failed)).limit(1).with_for_update(of=Booking, skip_locked=True)
        booking_id = None
        try:
            async with database.unit_of_work() as session:
                booking = await session.scalar(next_due)
                if booking is None:
                    return
                booking_id = booking.id
                await move(session, booking)
        except Exception:
            if booking_id is None:  # it is not about a row
                raise
            failed.append(booking_id)
            FAILED_MOVES.labels(name).inc()
            log.exception("booking not moved", booking=str(booking_id), move=name)
