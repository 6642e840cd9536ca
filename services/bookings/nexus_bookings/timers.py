"""What happens without a request: `main.py` hands `background` to the kit, which runs it in one process at a time."""

from collections.abc import Awaitable, Callable
from datetime import timedelta

from nexus_kit import idempotency
from nexus_kit.background import Periodic
from nexus_kit.db import Database
from nexus_kit.runtime import Runtime
from sqlalchemy import ColumnElement, delete, func, select
from sqlalchemy.ext.asyncio import AsyncSession

from nexus_bookings.bookings import service
from nexus_bookings.bookings.models import Booking, BookingStatus
from nexus_bookings.payments.models import WebhookReceipt
from nexus_bookings.payments.provider import PaymentProvider
from nexus_bookings.refunds import service as refunds
from nexus_bookings.settlement import service as settlement


def background(provider: PaymentProvider) -> list[Periodic]:
    """Everything, with the seconds between two rounds."""
    return [
        Periodic("expire holds", 1.0, expire_overdue),
        Periodic("complete stays", 1.0, complete_past),
        Periodic("settle payments", 0.3, lambda runtime: settlement.reconcile(runtime, provider)),
        Periodic("carry out refunds", 0.5, lambda runtime: refunds.execute(runtime, provider)),
        Periodic("forget idempotency keys", 3600.0, lambda runtime: idempotency.prune(runtime.database)),
        Periodic("forget webhooks", 3600.0, forget_webhooks),
    ]


async def expire_overdue(runtime: Runtime) -> None:
    """End the holds and requests whose time is up, and free their nights."""
    await _move_each(runtime.database, Booking.expires_at <= func.now(), service.expire)


async def complete_past(runtime: Runtime) -> None:
    """End the stays whose check-out has passed."""
    past = (Booking.status == BookingStatus.CONFIRMED) & (Booking.ends_at <= func.now())
    await _move_each(runtime.database, past, service.complete)


async def forget_webhooks(runtime: Runtime) -> None:
    """Chapa repeats a webhook for three days."""
    async with runtime.database.unit_of_work() as session:
        old = WebhookReceipt.received_at < func.now() - timedelta(days=7)
        await session.execute(delete(WebhookReceipt).where(old))


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
