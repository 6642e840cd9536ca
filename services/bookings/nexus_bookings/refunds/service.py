"""Gives money back: orders are written inside the transaction that owes them, and carried out by `execute`.

bookings and settlement order; `timers.py` runs `execute`.
"""

from datetime import timedelta
from uuid import UUID

import structlog
from nexus_contracts.bookings import PaymentRefunded
from nexus_contracts.money import Money
from nexus_kit.errors import Problem
from nexus_kit.outbox import emit
from nexus_kit.runtime import Runtime
from sqlalchemy import func, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from nexus_bookings.payments.models import Payment, PaymentStatus
from nexus_bookings.payments.provider import PaymentProvider
from nexus_bookings.refunds.models import Refund, RefundReason

log = structlog.get_logger(__name__)

_FIRST_PAUSE = timedelta(seconds=30)
"""Longer than a call to the provider takes: until then, whoever claimed the order is believed to be at it."""
_LONGEST_PAUSE = timedelta(hours=1)


async def paid_for_booking(session: AsyncSession, booking_id: UUID) -> int:
    """What the provider holds for a booking, in minor units. It changes only under the booking's lock."""
    payment = await _paid(session, booking_id)
    return payment.amount if payment else 0


async def order_for_booking(session: AsyncSession, booking_id: UUID, refund: Money) -> None:
    """Give back so much of what was paid for a booking; nothing happens for 0."""
    payment = await _paid(session, booking_id)
    if payment is not None and refund.amount > 0:
        order(session, payment, refund, RefundReason.CANCELLED)


def order(session: AsyncSession, payment: Payment, refund: Money, reason: RefundReason) -> None:
    """Give back so much of one payment. Only once: the database refuses a second order."""
    session.add(
        Refund(
            payment_id=payment.id,
            reference=f"{payment.tx_ref}-refund",
            amount=refund.amount,
            currency=refund.currency,
            reason=reason,
        )
    )


async def execute(runtime: Runtime, provider: PaymentProvider) -> None:
    """Carry out the orders that are due, one after the other; a provider that fails is asked again later, and later."""
    while True:
        async with runtime.database.unit_of_work() as session:
            claimed = await _claim(session)
        if claimed is None:
            return
        refund, charge = claimed
        try:
            await provider.refund(charge, refund.money, reference=refund.reference, reason=refund.reason)
        except Problem as problem:
            log.warning("refund failed", refund=str(refund.id), tries=refund.tries, error=problem.detail)
            continue
        async with runtime.database.unit_of_work() as session:
            await _record(session, refund.id)


async def _claim(session: AsyncSession) -> tuple[Refund, str] | None:
    """The next order that is due, with its charge's name at the provider. It is due again later, if we crash."""
    due = select(Refund).where(Refund.done_at.is_(None), Refund.due_at <= func.now()).order_by(Refund.due_at)
    refund = await session.scalar(due.limit(1).with_for_update(skip_locked=True))
    if refund is None:
        return None
    refund.due_at = func.now() + min(_FIRST_PAUSE * 2 ** min(refund.tries, 10), _LONGEST_PAUSE)
    refund.tries += 1
    await session.flush()
    payment = await session.get_one(Payment, refund.payment_id)
    return refund, payment.provider_reference or payment.tx_ref


async def _record(session: AsyncSession, refund_id: UUID) -> None:
    done = update(Refund).where(Refund.id == refund_id, Refund.done_at.is_(None)).values(done_at=func.now())
    refund = await session.scalar(done.returning(Refund))
    if refund is None:  # two of us carried it out, under one reference
        return
    payment = await session.get_one(Payment, refund.payment_id, with_for_update=True)
    payment.move(PaymentStatus.REFUNDED)
    await emit(session, PaymentRefunded(**payment.facts(refund.money)), sequence=payment.version)


async def _paid(session: AsyncSession, booking_id: UUID) -> Payment | None:
    """The payment that confirmed the booking: any other that succeeded has its refund ordered already."""
    refunded = select(Refund.payment_id)
    succeeded = select(Payment).where(
        Payment.booking_id == booking_id, Payment.status == PaymentStatus.SUCCEEDED, Payment.id.not_in(refunded)
    )
    payment: Payment | None = await session.scalar(succeeded)
    return payment
