"""What only a person can put right: refunds that do not get through, payments taken back, payouts that are odd.

`routes.py` lists it for admins, `timers.py` counts it for the alarm.
"""

from uuid import UUID

from nexus_kit.errors import IllegalTransition, NotFound
from nexus_kit.runtime import Runtime
from prometheus_client import Gauge
from sqlalchemy import ColumnElement, func, select
from sqlalchemy.ext.asyncio import AsyncSession

from nexus_bookings.attention.schemas import AttentionOut, Concern
from nexus_bookings.db import Base
from nexus_bookings.payments.models import Payment
from nexus_bookings.payouts.models import Payout, PayoutStatus
from nexus_bookings.refunds.models import Refund

WAITING = Gauge("payments_attention", "What waits for an operator, as GET /payments/attention lists it.", ["concern"])

_STUCK = Refund.stuck_at.is_not(None)
_TAKEN_BACK = Payment.attention_since.is_not(None)
_MISMATCHED = (Payout.status != PayoutStatus.FAILED) & Payout.failure.is_not(None)
_CAME_BACK = Payout.attention_since.is_not(None)
_COUNTED: tuple[tuple[Concern, type[Base], ColumnElement[bool]], ...] = (
    (Concern.REFUND_STUCK, Refund, _STUCK),
    (Concern.PAYMENT_TAKEN_BACK, Payment, _TAKEN_BACK),
    (Concern.PAYOUT_MISMATCHED, Payout, _MISMATCHED),
    (Concern.PAYOUT_CAME_BACK, Payout, _CAME_BACK),
)
_MOST = 500


async def everything(session: AsyncSession) -> list[AttentionOut]:
    """All that waits, oldest first."""
    stuck = select(Refund, Payment.booking_id).join(Payment, Payment.id == Refund.payment_id).where(_STUCK).limit(_MOST)
    taken_back = select(Payment).where(_TAKEN_BACK).limit(_MOST)
    odd = select(Payout).where(_MISMATCHED | _CAME_BACK).limit(_MOST)
    found = [_stuck(refund, booking_id) for refund, booking_id in await session.execute(stuck)]
    found += [_taken_back(payment) for payment in await session.scalars(taken_back)]
    found += [_odd(payout) for payout in await session.scalars(odd)]
    return sorted(found, key=lambda each: each.since)


async def acknowledge(session: AsyncSession, kind: type[Payment | Payout], id_: UUID) -> None:
    """An operator has looked into a payment that was taken back, or a payout that came back."""
    found: Payment | Payout | None = await session.get(kind, id_, with_for_update=True)
    if found is None:
        raise NotFound("There is no such payment or payout.")
    if found.attention_since is None:
        raise IllegalTransition("Nothing about it waits for an operator.")
    found.attention_since = None


async def count(runtime: Runtime) -> None:
    """Set the gauge."""
    async with runtime.database.unit_of_work() as session:
        for concern, model, condition in _COUNTED:
            waiting = await session.scalar(select(func.count()).select_from(model).where(condition))
            WAITING.labels(concern).set(waiting or 0)


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


def _odd(payout: Payout) -> AttentionOut:
    return AttentionOut(
        concern=Concern.PAYOUT_CAME_BACK if payout.attention_since else Concern.PAYOUT_MISMATCHED,
        payout_id=payout.id,
        amount=payout.money,
        reason=payout.failure or "",
        since=payout.attention_since or payout.paid_at or payout.sent_at or payout.created_at,
    )
