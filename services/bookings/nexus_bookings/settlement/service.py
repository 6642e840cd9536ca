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
from nexus_contracts.bookings import PaymentFailed, PaymentRefunded, PaymentSucceeded
from nexus_contracts.money import Money
from nexus_kit.db import Database
from nexus_kit.errors import Problem
from nexus_kit.outbox import emit
from nexus_kit.runtime import Runtime
from sqlalchemy import Row, case, func, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from nexus_bookings import movements
from nexus_bookings.bookings import service as bookings
from nexus_bookings.bookings.models import BookingStatus
from nexus_bookings.changes import service as changes
from nexus_bookings.ledger import service as ledger
from nexus_bookings.payments.models import Payment, PaymentStatus
from nexus_bookings.payments.provider import Charge, ChargeStatus, PaymentProvider
from nexus_bookings.refunds import service as refunds
from nexus_bookings.refunds.models import RefundReason

log = structlog.get_logger(__name__)

_AT_ONCE = 5
"""Payments that are asked about at the same time: half of the connections of a process."""
_LEASE = timedelta(seconds=30)
"""Whoever claimed a payment is believed to be at it for so long."""
_LONGEST_PAUSE = timedelta(minutes=5)
_WATCH = timedelta(days=1)
"""Between two looks at a payment that bought a stay."""


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
    if _is_final(payment):
        await _watch(session, payment, charge)
    elif charge is None and payment.checkout_url is None:
        await _fail(session, payment, "the provider never opened its page")
    elif charge is None or charge.status is ChargeStatus.PENDING:
        await _wait_or_give_up(session, payment)
    elif charge.status is not ChargeStatus.SUCCEEDED:
        await _fail(session, payment, f"the provider says {charge.status}")
    elif (charge.tx_ref, charge.money, charge.in_our_mode) != (payment.tx_ref, payment.money, True):
        await _refuse(session, payment, charge)
    else:
        await _succeed(session, payment, charge)


async def _lock(session: AsyncSession, payment_id: UUID) -> Payment:
    """The booking's row first, then the payment's: the order in which everybody locks."""
    booking_id = await session.scalar(select(Payment.booking_id).where(Payment.id == payment_id))
    assert booking_id is not None
    await bookings.lock(session, booking_id)
    return await session.get_one(Payment, payment_id, with_for_update=True)


def _is_final(payment: Payment) -> bool:
    """Whether we know what was charged: from then on only the provider's taking it back is news."""
    return payment.charged_amount is not None


async def _succeed(session: AsyncSession, payment: Payment, charge: Charge) -> None:
    """The money is there: confirm the booking with it, or make its change, or give it back."""
    payment.move(PaymentStatus.SUCCEEDED)
    payment.check_at, payment.failure = func.now() + _WATCH, None
    await _receive(session, payment, charge)
    await emit(session, PaymentSucceeded(**payment.facts()), sequence=payment.version)
    if payment.change_id is not None:
        bought = await changes.paid(session, payment.change_id)
    elif bought := await bookings.confirm(session, payment.booking_id):
        await ledger.earn(session, await bookings.lock(session, payment.booking_id), payment.id)
    if not bought:
        await refunds.order(session, payment, payment.money, RefundReason.NIGHTS_GONE)


async def _receive(session: AsyncSession, payment: Payment, charge: Charge) -> None:
    """The provider holds this money for us, whether or not it is what we asked for."""
    payment.provider_reference = charge.reference
    payment.charged_amount, payment.charged_currency = charge.money.amount, charge.money.currency
    await ledger.record(session, movements.received(payment.id, payment.booking_id, charge.money))
    if charge.fee:
        fee = Money(amount=charge.fee, currency=charge.money.currency)
        await ledger.record(session, movements.charged(payment.id, payment.booking_id, fee))


async def _refuse(session: AsyncSession, payment: Payment, charge: Charge) -> None:
    """Money that we did not ask for goes back. If it is not even about this payment, nothing of ours was charged."""
    mode = "" if charge.in_our_mode else ", in the wrong mode"
    reason = f"asked for {payment.tx_ref}, {payment.money}; charged {charge.tx_ref}, {charge.money}{mode}"
    log.error("charge does not match", payment=str(payment.id), reason=reason)
    if charge.tx_ref == payment.tx_ref and charge.money.amount > 0:
        await _receive(session, payment, charge)
        await refunds.order(session, payment, charge.money, RefundReason.MISMATCH)
    await _fail(session, payment, reason)


async def _watch(session: AsyncSession, payment: Payment, charge: Charge | None) -> None:
    """Look again tomorrow, as long as the stay is not over: what was paid may be taken back without an order of ours.

    "Refunded" is what our own orders bring about, too, so with one of them it is no news; a reversal always is.
    """
    booking = await bookings.lock(session, payment.booking_id)
    if charge is not None and charge.tx_ref == payment.tx_ref and payment.status is PaymentStatus.SUCCEEDED:
        without_us = charge.status is ChargeStatus.REFUNDED and payment.refunded_amount == 0
        if without_us or charge.status is ChargeStatus.REVERSED:
            await _take_back(session, payment, booking.listing_title, f"the provider says {charge.status}")
    is_watched = payment.status is PaymentStatus.SUCCEEDED and booking.status is BookingStatus.CONFIRMED
    await _check_again(session, payment, check_at=func.now() + _WATCH if is_watched else None)


async def _take_back(session: AsyncSession, payment: Payment, listing_title: str, reason: str) -> None:
    """The provider took back what was left of a payment: call off a stay that is ahead, and have an operator look.

    What we ordered to give back and have not sent yet was left, too.
    """
    log.error("payment taken back", payment=str(payment.id), reason=reason)
    kept = payment.kept
    pending, untold = await refunds.pending(session, payment)
    money = Money(amount=kept.amount + pending, currency=kept.currency)
    await refunds.overtaken(session, payment)
    payment.refunded_amount += kept.amount
    payment.failure, payment.attention_since = reason, func.now()
    payment.move(PaymentStatus.REFUNDED)
    await ledger.record(session, movements.returned(payment.id, payment.booking_id, money))
    if kept.amount + untold:
        news = Money(amount=kept.amount + untold, currency=kept.currency)
        told = PaymentRefunded(**payment.facts(news), listing_title=listing_title)
        await emit(session, told, sequence=payment.version)
    if kept.amount and await bookings.call_off(session, payment.booking_id, kept):
        await ledger.release(session, payment.booking_id, payment.id, kept)


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
