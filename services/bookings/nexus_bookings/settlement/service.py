"""Finds out what became of payments, by asking the provider, and acts on it. Webhooks only make it ask sooner.

`timers.py` runs `reconcile`. The provider is asked between two
transactions, so no lock is held meanwhile; `settle` is harmless when two answers about one payment arrive at once.
"""

import asyncio
from collections.abc import Sequence
from datetime import timedelta
from typing import Any
from uuid import UUID

import structlog
from nexus_contracts.bookings import PaymentFailed, PaymentSucceeded
from nexus_kit.db import Database
from nexus_kit.errors import Problem
from nexus_kit.outbox import emit
from nexus_kit.runtime import Runtime
from sqlalchemy import Row, case, func, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from nexus_bookings.bookings import service as bookings
from nexus_bookings.payments.models import Payment, PaymentStatus
from nexus_bookings.payments.provider import Charge, ChargeStatus, PaymentProvider
from nexus_bookings.refunds import service as refunds
from nexus_bookings.refunds.models import Refund, RefundReason

log = structlog.get_logger(__name__)

_AT_ONCE = 5
"""Payments that are asked about at the same time: half of the connections of a process."""
_LEASE = timedelta(seconds=30)
"""Whoever claimed a payment is believed to be at it for so long."""
_LONGEST_PAUSE = timedelta(minutes=5)


async def reconcile(runtime: Runtime, provider: PaymentProvider) -> None:
    """Settle every payment that is due."""
    while True:
        async with runtime.database.unit_of_work() as session:
            due = await _claim(session)
        await asyncio.gather(*(ask_and_settle(runtime.database, provider, *payment) for payment in due))
        if len(due) < _AT_ONCE:
            return


async def _claim(session: AsyncSession) -> Sequence[Row[UUID, str]]:
    """Some payments that are due, pushed into the future, so that a crash only delays them."""
    due = select(Payment.id).where(Payment.check_at <= func.now()).order_by(Payment.check_at).limit(_AT_ONCE)
    claimed = (
        update(Payment)
        .where(Payment.id.in_(due.with_for_update(skip_locked=True)))
        .values(check_at=func.now() + _LEASE)
        .returning(Payment.id, Payment.tx_ref)
    )
    return (await session.execute(claimed)).all()


async def ask_and_settle(database: Database, provider: PaymentProvider, payment_id: UUID, tx_ref: str) -> None:
    """One payment. Whatever goes wrong is logged, and it is asked about again when its claim is over."""
    try:
        charge = await provider.verify(tx_ref)
        async with database.unit_of_work() as session:
            await settle(session, payment_id, charge)
    except Problem as problem:
        log.warning("payment not settled yet", payment=str(payment_id), error=problem.detail)
    except Exception:  # a fault of ours; the other payments of this round are not to blame
        log.exception("payment not settled yet", payment=str(payment_id))


async def settle(session: AsyncSession, payment_id: UUID, charge: Charge | None) -> None:
    """Act on the provider's answer, once: what was settled before is left alone."""
    payment = await _lock(session, payment_id)
    if await _is_final(session, payment):
        payment.check_at = None
    elif charge is None and payment.checkout_url is None:
        await _fail(session, payment, "the provider never opened its page")
    elif charge is None or charge.status is ChargeStatus.PENDING:
        await _wait_or_give_up(session, payment)
    elif charge.status is not ChargeStatus.SUCCEEDED:
        await _fail(session, payment, f"the provider says {charge.status}")
    elif (charge.tx_ref, charge.money) != (payment.tx_ref, payment.money):
        await _refuse(session, payment, charge)
    else:
        await _succeed(session, payment, charge)


async def _lock(session: AsyncSession, payment_id: UUID) -> Payment:
    """The booking's row first, then the payment's: the order in which everybody locks."""
    booking_id = await session.scalar(select(Payment.booking_id).where(Payment.id == payment_id))
    assert booking_id is not None
    await bookings.lock(session, booking_id)
    return await session.get_one(Payment, payment_id, with_for_update=True)


async def _is_final(session: AsyncSession, payment: Payment) -> bool:
    refund_ordered = await session.scalar(select(Refund.id).where(Refund.payment_id == payment.id))
    return refund_ordered is not None or payment.status in (PaymentStatus.SUCCEEDED, PaymentStatus.REFUNDED)


async def _succeed(session: AsyncSession, payment: Payment, charge: Charge) -> None:
    """The money is there: confirm the booking with it, or give it back."""
    payment.move(PaymentStatus.SUCCEEDED)
    payment.check_at, payment.failure, payment.provider_reference = None, None, charge.reference
    await emit(session, PaymentSucceeded(**payment.facts()), sequence=payment.version)
    if not await bookings.confirm(session, payment.booking_id):
        refunds.order(session, payment, payment.money, RefundReason.NIGHTS_GONE)


async def _refuse(session: AsyncSession, payment: Payment, charge: Charge) -> None:
    """Money that we did not ask for goes back. If it is not even about this payment, nothing of ours was charged."""
    reason = f"asked for {payment.tx_ref}, {payment.money}; charged {charge.tx_ref}, {charge.money}"
    log.error("charge does not match", payment=str(payment.id), reason=reason)
    payment.provider_reference = charge.reference
    if charge.tx_ref == payment.tx_ref:
        refunds.order(session, payment, charge.money, RefundReason.MISMATCH)
    await _fail(session, payment, reason)


async def _fail(session: AsyncSession, payment: Payment, reason: str) -> None:
    """It has failed for now: until it is given up, its page may still be paid on, and the webhook of that be lost."""
    paid_later = (Payment.checkout_url.is_not(None) & (Payment.give_up_at > func.now()), func.now() + _LONGEST_PAUSE)
    await _check_again(session, payment, check_at=case(paid_later, else_=None))
    if payment.status is not PaymentStatus.PENDING:
        return
    payment.move(PaymentStatus.FAILED)
    payment.failure = reason
    if payment.checkout_url is not None:  # otherwise nobody was ever asked to pay, and there is nothing to tell
        await emit(session, PaymentFailed(**payment.facts()), sequence=payment.version)


async def _wait_or_give_up(session: AsyncSession, payment: Payment) -> None:
    """Ask again later, and later."""
    pause = min(timedelta(seconds=5 * 2 ** min(payment.checks, 10)), _LONGEST_PAUSE)
    hopeless = await session.scalar(select(Payment.give_up_at <= func.now()).where(Payment.id == payment.id))
    if hopeless or payment.status is PaymentStatus.FAILED:
        await _fail(session, payment, "not paid in time")
        return
    await _check_again(session, payment, check_at=func.now() + pause, checks=Payment.checks + 1)


async def _check_again(session: AsyncSession, payment: Payment, **values: Any) -> None:
    """Set the next check. A hint that came while we asked, or while we waited for the lock (it is due), stays due."""
    not_due = update(Payment).where(Payment.id == payment.id, Payment.check_at > func.clock_timestamp())
    await session.execute(not_due.values(values))
