"""What only a person can put right: refunds that the provider refuses, payments that it took back, odd payouts.

`routes.py` lists it for admins, `timers.py` counts it for the alarm.
"""

from uuid import UUID

from nexus_kit.errors import IllegalTransition, NotFound
from nexus_kit.runtime import Runtime
from prometheus_client import Gauge
from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from nexus_bookings.attention.schemas import AttentionOut, Concern
from nexus_bookings.payments.models import Payment
from nexus_bookings.payouts.models import Payout, PayoutStatus
from nexus_bookings.refunds.models import Refund

WAITING = Gauge("payments_attention", "What waits for an operator, as GET /payments/attention lists it.", ["concern"])

_STUCK = Refund.stuck_at.is_not(None)
_TAKEN_BACK = Payment.attention_since.is_not(None)
_MISMATCHED = (Payout.status == PayoutStatus.PENDING) & Payout.failure.is_not(None)
_MOST = 500


async def everything(session: AsyncSession) -> list[AttentionOut]:
    """All that waits, oldest first."""
    stuck = select(Refund, Payment.booking_id).join(Payment, Payment.id == Refund.payment_id).where(_STUCK).limit(_MOST)
    taken_back = select(Payment).where(_TAKEN_BACK).limit(_MOST)
    found = [_stuck(refund, booking_id) for refund, booking_id in await session.execute(stuck)]
    found += [_taken_back(payment) for payment in await session.scalars(taken_back)]
    found += [_mismatched(payout) for payout in await session.scalars(select(Payout).where(_MISMATCHED).limit(_MOST))]
    return sorted(found, key=lambda each: each.since)


async def acknowledge(session: AsyncSession, payment_id: UUID) -> None:
    """An operator has looked into a payment that was taken back."""
    payment = await session.get(Payment, payment_id, with_for_update=True)
    if payment is None:
        raise NotFound("There is no such payment.")
    if payment.attention_since is None:
        raise IllegalTransition("Nothing about this payment waits for an operator.")
    payment.attention_since = None


async def count(runtime: Runtime) -> None:
    """Set the gauge."""
    async with runtime.database.unit_of_work() as session:
        stuck = await session.scalar(select(func.count()).select_from(Refund).where(_STUCK))
        taken_back = await session.scalar(select(func.count()).select_from(Payment).where(_TAKEN_BACK))
        mismatched = await session.scalar(select(func.count()).select_from(Payout).where(_MISMATCHED))
    WAITING.labels(Concern.REFUND_STUCK).set(stuck or 0)
    WAITING.labels(Concern.PAYMENT_TAKEN_BACK).set(taken_back or 0)
    WAITING.labels(Concern.PAYOUT_MISMATCHED).set(mismatched or 0)


def _stuck(refund: Refund, booking_id: UUID) -> AttentionOut:
    assert refund.stuck_at is not None
    return AttentionOut(
        concern=Concern.REFUND_STUCK,
        payment_id=refund.payment_id,
        booking_id=booking_id,
        refund_id=refund.id,
        amount=refund.money,
        reason=refund.failure or "",
        since=refund.stuck_at,
    )


def _taken_back(payment: Payment) -> AttentionOut:
    assert payment.attention_since is not None
    return AttentionOut(
        concern=Concern.PAYMENT_TAKEN_BACK,
        payment_id=payment.id,
        booking_id=payment.booking_id,
        amount=payment.refunded,
        reason=payment.failure or "",
        since=payment.attention_since,
    )


def _mismatched(payout: Payout) -> AttentionOut:
    return AttentionOut(
        concern=Concern.PAYOUT_MISMATCHED,
        payout_id=payout.id,
        amount=payout.money,
        reason=payout.failure or "",
        since=payout.sent_at or payout.created_at,
    )
