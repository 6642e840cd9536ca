"""Gives money back: orders are written inside the transaction that owes them, then sent and followed by `execute`.

bookings, changes and settlement order; `timers.py` runs `execute`, webhooks only make it ask sooner; an operator has
what is stuck ordered again (`attention`).
"""

from datetime import timedelta
from uuid import UUID, uuid4

import structlog
from nexus_contracts.bookings import PaymentRefunded
from nexus_contracts.money import Money
from nexus_kit.errors import NotFound, Problem, UpstreamUnavailable
from nexus_kit.outbox import emit
from nexus_kit.runtime import Runtime
from sqlalchemy import ColumnElement, func, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from nexus_bookings import movements
from nexus_bookings.bookings.models import Booking
from nexus_bookings.ledger import service as ledger
from nexus_bookings.payments.models import Payment, PaymentStatus
from nexus_bookings.payments.provider import PaymentProvider, RefundOutcome
from nexus_bookings.refunds.models import Refund, RefundReason, RefundStatus

log = structlog.get_logger(__name__)

_FIRST_PAUSE = timedelta(seconds=30)
"""Longer than a call to the provider takes: until then, whoever claimed the order is believed to be at it."""
_LONGEST_PAUSE = timedelta(hours=1)
_MAY_GO_BACK = (PaymentStatus.SUCCEEDED, PaymentStatus.FAILED)
MOST_TRIES = 8
"""After so many a refund that the provider refuses is stuck. One that cannot be asked is tried for ever."""
PATIENCE = timedelta(days=14)
"""A refund that the provider accepted so long ago, and has not given back, is stuck."""


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


async def pending(session: AsyncSession, payment: Payment) -> tuple[int, int]:
    """How much of what was ordered to go back has not gone yet, and how much of that the guest has not heard of."""
    untold = func.sum(Refund.amount).filter(Refund.accepted_at.is_(None))
    amounts = select(func.coalesce(func.sum(Refund.amount), 0), func.coalesce(untold, 0)).where(*_open(payment))
    whole, news = (await session.execute(amounts)).one()
    return int(whole), int(news)


async def overtaken(session: AsyncSession, payment: Payment) -> None:
    """The provider took the payment back: there is nothing left to send, and it would be sent twice."""
    for refund in await session.scalars(select(Refund).where(*_open(payment)).with_for_update()):
        refund.move(RefundStatus.DONE, "the provider took it back first")


async def ask_now(session: AsyncSession, tx_ref: str) -> None:
    """The provider says that something happened to this payment: perhaps to what it was to give back of it."""
    accepted = Refund.payment_id.in_(select(Payment.id).where(Payment.tx_ref == tx_ref))
    await session.execute(
        update(Refund).where(accepted, Refund.status == RefundStatus.ACCEPTED).values(due_at=func.now())
    )


async def execute(runtime: Runtime, provider: PaymentProvider) -> None:
    """Send the orders that are due, and ask about those that were accepted; none that fails stops the others."""
    while True:
        async with runtime.database.unit_of_work() as session:
            claimed = await _claim(session)
        if claimed is None:
            return
        refund, charge = claimed
        try:
            if refund.status is RefundStatus.ORDERED:
                await provider.refund(charge, refund.money, reference=refund.reference, reason=refund.reason)
                async with runtime.database.unit_of_work() as session:
                    await accepted(session, refund.id, refund.reference)
            else:
                outcome = await provider.verify_refund(refund.reference)
                async with runtime.database.unit_of_work() as session:
                    await settle(session, refund.id, refund.reference, outcome)
        except Exception as exc:  # whatever it is, the other orders are not to blame
            log.warning("refund failed", refund=str(refund.id), exc_info=not isinstance(exc, Problem))
            async with runtime.database.unit_of_work() as session:
                await _note(session, refund, exc)


async def accepted(session: AsyncSession, refund_id: UUID, reference: str) -> None:
    """The provider has taken the order, and the guest is told, once. The money is still with the provider."""
    booking, payment, refund = await _lock(session, refund_id)
    if (refund.status, refund.reference) != (RefundStatus.ORDERED, reference):  # two of us sent it
        return
    refund.move(RefundStatus.ACCEPTED)
    is_news = refund.accepted_at is None
    refund.accepted_at = func.now()
    await session.flush()
    if is_news:
        payment.version += 1
        told = PaymentRefunded(**payment.facts(refund.money), listing_title=booking.listing_title)
        await emit(session, told, sequence=payment.version)


async def settle(session: AsyncSession, refund_id: UUID, reference: str, outcome: RefundOutcome | None) -> None:
    """Act on the provider's answer about an order that it accepted under this reference, once."""
    _, payment, refund = await _lock(session, refund_id)
    if (refund.status, refund.reference) != (RefundStatus.ACCEPTED, reference):
        return
    if outcome is RefundOutcome.DONE:
        await _done(session, payment, refund)
    elif outcome is RefundOutcome.FAILED:
        log.error("refund failed for good", refund=str(refund.id), reference=reference)
        refund.move(RefundStatus.STUCK, f"the provider says that {reference} failed")
        refund.reference = f"{payment.tx_ref}-refund-{uuid4().hex[:8]}"  # under the old name it would fail again
    elif await _takes_too_long(session, refund):
        refund.move(RefundStatus.STUCK, f"accepted {PATIENCE.days} days ago, and not given back")


async def retry(session: AsyncSession, refund_id: UUID) -> Refund:
    """An operator has put right what was wrong: try a stuck order again, as if for the first time."""
    refund = await session.get(Refund, refund_id, with_for_update=True)
    if refund is None:
        raise NotFound("There is no such refund.")
    refund.move(RefundStatus.ORDERED)
    await session.flush()
    await session.refresh(refund)
    return refund


async def _claim(session: AsyncSession) -> tuple[Refund, str] | None:
    """The next one that is due, with its charge's name at the provider. It is due again later, if we crash."""
    due = select(Refund).where(Refund.done_at.is_(None), Refund.stuck_at.is_(None), Refund.due_at <= func.now())
    refund = await session.scalar(due.order_by(Refund.due_at).limit(1).with_for_update(skip_locked=True))
    if refund is None:
        return None
    refund.due_at = func.now() + min(_FIRST_PAUSE * 2 ** min(refund.tries, 10), _LONGEST_PAUSE)
    refund.tries += 1
    await session.flush()
    payment = await session.get_one(Payment, refund.payment_id)
    return refund, payment.provider_reference or payment.tx_ref


async def _done(session: AsyncSession, payment: Payment, refund: Refund) -> None:
    """The money has left the provider: so only now does it leave the ledger."""
    refund.move(RefundStatus.DONE)
    await ledger.record(session, movements.refunded(refund.id, payment.booking_id, refund.money))
    others = select(Refund.id).where(*_open(payment)).limit(1)
    if payment.kept.amount == 0 and payment.status in _MAY_GO_BACK and await session.scalar(others) is None:
        payment.move(PaymentStatus.REFUNDED)


async def _lock(session: AsyncSession, refund_id: UUID) -> tuple[Booking, Payment, Refund]:
    """The booking's row first, then the payment's, then the refund's: the order in which everybody locks."""
    of_refund = select(Payment.id, Payment.booking_id).join(Refund, Refund.payment_id == Payment.id)
    payment_id, booking_id = (await session.execute(of_refund.where(Refund.id == refund_id))).one()
    booking = await session.get_one(Booking, booking_id, with_for_update=True)
    payment = await session.get_one(Payment, payment_id, with_for_update=True)
    return booking, payment, await session.get_one(Refund, refund_id, with_for_update=True)


async def _note(session: AsyncSession, tried: Refund, exc: Exception) -> None:
    """Why it failed, and whether to go on trying."""
    refund = await session.get_one(Refund, tried.id, with_for_update=True)
    if refund.status is not tried.status:  # somebody else got further meanwhile
        return
    failure = f"{type(exc).__name__}: {exc}"[:500]
    refused = refund.status is RefundStatus.ORDERED and not isinstance(exc, UpstreamUnavailable)
    if (refused and refund.tries >= MOST_TRIES) or await _takes_too_long(session, refund):
        refund.move(RefundStatus.STUCK, failure)
    else:
        refund.failure = failure


async def _takes_too_long(session: AsyncSession, refund: Refund) -> bool:
    too_long = select(Refund.accepted_at <= func.now() - PATIENCE)
    return bool(await session.scalar(too_long.where(Refund.id == refund.id, Refund.status == RefundStatus.ACCEPTED)))


def _open(payment: Payment) -> tuple[ColumnElement[bool], ...]:
    """Orders of which the money has not gone yet."""
    return Refund.payment_id == payment.id, Refund.status != RefundStatus.DONE


def _holds_money_of(booking_id: UUID) -> tuple[ColumnElement[bool], ...]:
    """Payments with money that bought the stay. Others that arrived are on their way back in full."""
    return (
        Payment.booking_id == booking_id,
        Payment.status == PaymentStatus.SUCCEEDED,
        Payment.refunded_amount < Payment.charged_amount,
    )
