"""Starts payments and takes hints about them, for `routes.py`. `settlement` finds out what became of them."""

import hashlib
import hmac
from collections.abc import Sequence
from datetime import timedelta
from uuid import UUID, uuid4

import structlog
from httpx import HTTPStatusError
from nexus_contracts.money import Money
from nexus_kit.errors import Conflict, Unauthorized, UpstreamFailed, UpstreamUnavailable, ValidationFailed
from nexus_kit.http import ServiceClient
from pydantic import ValidationError
from sqlalchemy import func, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from nexus_bookings.bookings import service as bookings
from nexus_bookings.bookings.models import Booking, BookingStatus
from nexus_bookings.bookings.service import OnlyTheGuest
from nexus_bookings.changes import service as changes
from nexus_bookings.neighbours import Neighbours
from nexus_bookings.payments.models import Payment, PaymentStatus, WebhookReceipt
from nexus_bookings.payments.provider import Payer
from nexus_bookings.payments.schemas import ChapaWebhook, User
from nexus_bookings.payouts import service as payouts
from nexus_bookings.refunds import service as refunds

log = structlog.get_logger(__name__)

FIRST_CHECK = timedelta(seconds=5)
"""After the guest was sent to the provider's page."""
CALL_IS_OVER = timedelta(seconds=30)
"""After the row is written, a checkout that is being opened is open or has failed."""
PATIENCE = timedelta(hours=6)
"""How long the provider is asked: its page outlives the hold."""


class NotPayable(Conflict):
    """The booking does not await a payment, or not any more."""


class InvalidSignature(Unauthorized):
    """The webhook is not signed by the payment provider."""


async def open_payment(session: AsyncSession, booking_id: UUID, guest_id: UUID) -> Payment:
    """The payment that is open already or, with a name at the provider that was never used, a new one."""
    booking = await bookings.lock(session, booking_id, guest_id)
    if booking.guest_id != guest_id:
        raise OnlyTheGuest
    due, change_id = await _due(session, booking)
    tries = (payment for payment in await of_booking(session, booking_id) if payment.change_id == change_id)
    former = next((payment for payment in tries if payment.is_open), None)
    if former is not None:
        return former
    payment = Payment(
        booking_id=booking.id,
        change_id=change_id,
        guest_id=guest_id,
        tx_ref=f"nexus-{uuid4()}",
        amount=due.amount,
        currency=due.currency,
        check_at=booking.as_of + CALL_IS_OVER,
        give_up_at=booking.as_of + PATIENCE,
    )
    session.add(payment)
    await session.flush()
    return payment


async def open_checkout(payment: Payment, neighbours: Neighbours) -> str:
    """Have the provider open its page: the one call of the two transactions. Answers the page's address."""
    return await neighbours.payments.open_checkout(
        payment.tx_ref,
        payment.money,
        await _payer(neighbours.auth, payment.guest_id),
        purpose=f"Nexus booking {payment.booking_id}",
        return_url=f"{neighbours.settings.public_url}/",
    )


async def await_checkout(session: AsyncSession, payment_id: UUID, checkout_url: str) -> Payment:
    """The provider has a page for it: from now on, ask what became of it.

    A payment that was settled meanwhile never gets a page: a guest must not be sent to pay what we gave up.
    """
    payment = await session.get_one(Payment, payment_id, with_for_update=True)
    if payment.status is not PaymentStatus.PENDING:
        raise UpstreamUnavailable("The page opened too late, or is settled by now; try again.")
    payment.checkout_url = checkout_url
    payment.check_at = func.now() + FIRST_CHECK
    await session.flush()
    return payment


async def of_booking(session: AsyncSession, booking_id: UUID) -> Sequence[Payment]:
    """All tries to pay a booking, newest first."""
    statement = select(Payment).where(Payment.booking_id == booking_id).order_by(Payment.id.desc())
    return (await session.scalars(statement)).all()


def check_signature(secret: str, body: bytes, signature: str) -> None:
    """The hex HMAC-SHA256 of the raw body, compared in constant time; nothing else proves who sent it."""
    expected = hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()
    if not hmac.compare_digest(expected.encode(), signature.encode()):
        raise InvalidSignature


async def take_hint(session: AsyncSession, body: bytes) -> None:
    """Something happened to a payment or a payout: ask the provider now. The same webhook again changes nothing."""
    try:
        webhook = ChapaWebhook.model_validate_json(body)
    except ValidationError as exc:
        raise ValidationFailed("This is not a webhook of Chapa's.") from exc
    if webhook.tx_ref is None and webhook.reference is None:  # something else: refused, it would only be repeated
        log.info("webhook names nothing of ours", event_kind=webhook.event)
        return
    receipt = insert(WebhookReceipt).values(digest=hashlib.sha256(body).digest()).on_conflict_do_nothing()
    if await session.scalar(receipt.returning(WebhookReceipt.digest)) is None:
        return
    if webhook.tx_ref is not None:
        await session.execute(update(Payment).where(Payment.tx_ref == webhook.tx_ref).values(check_at=func.now()))
        await refunds.ask_now(session, webhook.tx_ref)
    elif webhook.reference is not None:
        await payouts.ask_now(session, webhook.reference)


async def _due(session: AsyncSession, booking: Booking) -> tuple[Money, UUID | None]:
    """What the booking awaits: its whole price, or the difference that a change makes."""
    if booking.status is BookingStatus.PENDING_PAYMENT and not booking.is_overdue:
        return booking.total, None
    change = await changes.awaiting_payment(session, booking)
    if change is None:
        raise NotPayable
    return change.difference.to_pay, change.id


async def _payer(auth: ServiceClient, guest_id: UUID) -> Payer:
    answer = await auth.request("GET", f"/internal/users/{guest_id}")
    try:
        user = User.model_validate_json(answer.raise_for_status().content)
    except (HTTPStatusError, ValidationError) as exc:
        raise UpstreamFailed("auth does not know who pays.") from exc
    first, _, last = user.full_name.partition(" ")
    return Payer(email=user.email, first_name=first, last_name=last or first)
