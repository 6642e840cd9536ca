"""Gives money back: orders are written inside the transaction that owes them, and carried out by `execute`.

bookings, changes and settlement order; `timers.py` runs `execute`; an operator retries what is stuck (`attention`).
"""

from datetime import timedelta
from uuid import UUID

import structlog
from nexus_contracts.bookings import PaymentRefunded
from nexus_contracts.money import Money
from nexus_kit.errors import IllegalTransition, NotFound, Problem, UpstreamUnavailable
from nexus_kit.outbox import emit
from nexus_kit.runtime import Runtime
from sqlalchemy import ColumnElement, case, func, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from nexus_bookings import movements
from nexus_bookings.bookings.models import Booking
from nexus_bookings.ledger import service as ledger
from nexus_bookings.payments.models import Payment, PaymentStatus
from nexus_bookings.payments.provider import PaymentProvider
from nexus_bookings.refunds.models import Refund, RefundReason

log = structlog.get_logger(__name__)

_FIRST_PAUSE = timedelta(seconds=30)
"""Longer than a call to the provider takes: until then, whoever claimed the order is believed to be at it."""
_LONGEST_PAUSE = timedelta(hours=1)
_MAY_GO_BACK = (PaymentStatus.SUCCEEDED, PaymentStatus.FAILED)
MOST_TRIES = 8
"""After so many a refund that the provider refuses is stuck. One that cannot be asked is tried for ever."""


async def paid_for_booking(session: AsyncSession, booking_id: UUID) -> int:
    """What is left of what was paid for a booking, in minor units. It changes only under the booking's lock."""
    left = func.coalesce(func.sum(Payment.charged_amount - Payment.refunded_amount), 0)
    return int(await session.scalar(select(left).where(*_holds_money_of(booking_id))) or 0)


async def order_for_booking(
    session: AsyncSession, booking_id: UUID, refund: Money, reason: RefundReason = RefundReason.CANCELLED
) -> None:
    """Give back so much of what was paid for a booking, from the newest payment first; nothing happens for 0."""
    left = refund.amount
    newest_first = select(Payment).where(*_holds_money_of(booking_id)).order_by(Payment.id.desc()).with_for_update()
    for payment in await session.scalars(newest_first.execution_options(populate_existing=True)):
        part = min(left, payment.kept.amount)
        if part > 0:
            await order(session, payment, Money(amount=part, currency=refund.currency), reason)
        left -= part
    if left > 0:
        raise ValueError(f"{left} more than was paid for booking {booking_id}")


async def order(session: AsyncSession, payment: Payment, money: Money, reason: RefundReason) -> None:
    """Give back so much of one payment, which the caller has locked. The database refuses more than was charged."""
    earlier = await session.scalar(select(func.count()).where(Refund.payment_id == payment.id))
    refund = Refund(
        payment_id=payment.id,
        reference=f"{payment.tx_ref}-refund-{(earlier or 0) + 1}",
        amount=money.amount,
        currency=money.currency,
        reason=reason,
    )
    session.add(refund)
    payment.refunded_amount += money.amount
    await session.flush()
    if reason is RefundReason.CANCELLED:  # a change divides its price anew; any other money never bought the stay
        await ledger.release(session, payment.booking_id, refund.id, money)


async def pending(session: AsyncSession, payment: Payment) -> int:
    """How much of what was ordered to go back has not gone yet, in minor units."""
    total = select(func.coalesce(func.sum(Refund.amount), 0))
    return int(await session.scalar(total.where(Refund.payment_id == payment.id, Refund.done_at.is_(None))) or 0)


async def overtaken(session: AsyncSession, payment: Payment) -> None:
    """The provider took the payment back: there is nothing left to send, and it would be sent twice."""
    orders = update(Refund).where(Refund.payment_id == payment.id, Refund.done_at.is_(None))
    await session.execute(orders.values(done_at=func.now(), stuck_at=None, failure="the provider took it back first"))


async def execute(runtime: Runtime, provider: PaymentProvider) -> None:
    """Carry out the orders that are due, one after the other; one that fails is tried again later, and later."""
    while True:
        async with runtime.database.unit_of_work() as session:
            claimed = await _claim(session)
        if claimed is None:
            return
        refund, charge = claimed
        try:
            await provider.refund(charge, refund.money, reference=refund.reference, reason=refund.reason)
            async with runtime.database.unit_of_work() as session:
                await _record(session, refund.id)
        except Exception as exc:  # whatever it is, the other orders are not to blame
            log.warning("refund failed", refund=str(refund.id), exc_info=not isinstance(exc, Problem))
            async with runtime.database.unit_of_work() as session:
                await _note(session, refund.id, exc)


async def retry(session: AsyncSession, refund_id: UUID) -> Refund:
    """An operator has put right what was wrong: try a stuck order again, as if for the first time."""
    refund = await session.get(Refund, refund_id, with_for_update=True)
    if refund is None:
        raise NotFound("There is no such refund.")
    if refund.stuck_at is None:
        raise IllegalTransition("This refund is not stuck.")
    refund.stuck_at, refund.tries, refund.due_at = None, 0, func.now()
    await session.flush()
    await session.refresh(refund)
    return refund


async def _claim(session: AsyncSession) -> tuple[Refund, str] | None:
    """The next order that is due, with its charge's name at the provider. It is due again later, if we crash."""
    due = select(Refund).where(Refund.done_at.is_(None), Refund.stuck_at.is_(None), Refund.due_at <= func.now())
    refund = await session.scalar(due.order_by(Refund.due_at).limit(1).with_for_update(skip_locked=True))
    if refund is None:
        return None
    refund.due_at = func.now() + min(_FIRST_PAUSE * 2 ** min(refund.tries, 10), _LONGEST_PAUSE)
    refund.tries += 1
    await session.flush()
    payment = await session.get_one(Payment, refund.payment_id)
    return refund, payment.provider_reference or payment.tx_ref


async def _record(session: AsyncSession, refund_id: UUID) -> None:
    payment = await _lock_payment_of(session, refund_id)
    done = update(Refund).where(Refund.id == refund_id, Refund.done_at.is_(None))
    refund = await session.scalar(done.values(done_at=func.now(), failure=None, stuck_at=None).returning(Refund))
    if refund is None:  # two of us carried it out, under one reference
        return
    await ledger.record(session, movements.refunded(refund.id, payment.booking_id, refund.money))
    pending = select(Refund.id).where(Refund.payment_id == payment.id, Refund.done_at.is_(None)).limit(1)
    if payment.kept.amount == 0 and payment.status in _MAY_GO_BACK and await session.scalar(pending) is None:
        payment.move(PaymentStatus.REFUNDED)
    else:
        payment.version += 1
    await session.flush()
    await emit(session, PaymentRefunded(**payment.facts(refund.money)), sequence=payment.version)


async def _lock_payment_of(session: AsyncSession, refund_id: UUID) -> Payment:
    """The booking's row first, then the payment's: the order in which everybody locks."""
    of_refund = select(Payment.id).join(Refund, Refund.payment_id == Payment.id).where(Refund.id == refund_id)
    payment_id = (await session.scalars(of_refund)).one()
    booking = select(Booking.id).join(Payment, Payment.booking_id == Booking.id).where(Payment.id == payment_id)
    await session.execute(booking.with_for_update(of=Booking))
    return await session.get_one(Payment, payment_id, with_for_update=True)


async def _note(session: AsyncSession, refund_id: UUID, exc: Exception) -> None:
    """Why it failed, and whether to go on trying."""
    gives_up = None if isinstance(exc, UpstreamUnavailable) else case((Refund.tries >= MOST_TRIES, func.now()))
    failed = update(Refund).where(Refund.id == refund_id, Refund.done_at.is_(None))
    await session.execute(failed.values(failure=f"{type(exc).__name__}: {exc}"[:500], stuck_at=gives_up))


def _holds_money_of(booking_id: UUID) -> tuple[ColumnElement[bool], ...]:
    """Payments with money that bought the stay. Others that arrived are on their way back in full."""
    return (
        Payment.booking_id == booking_id,
        Payment.status == PaymentStatus.SUCCEEDED,
        Payment.refunded_amount < Payment.charged_amount,
    )
