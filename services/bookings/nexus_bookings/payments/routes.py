"""Paying a booking, and the provider's webhook."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Header, Request
from nexus_kit.auth import CurrentUser, VerifiedUser
from nexus_kit.db import SessionDep, UnitOfWork
from nexus_kit.errors import NotFound, UpstreamFailed, UpstreamUnavailable, ValidationFailed, responses
from nexus_kit.idempotency import IdempotencyInProgress, IdempotencyKeyRequired, IdempotencyKeyReused, OnceAcross

from nexus_bookings.bookings import service as bookings
from nexus_bookings.bookings.service import OnlyTheGuest
from nexus_bookings.neighbours import NeighboursDep
from nexus_bookings.payments import service
from nexus_bookings.payments.provider import CurrencyNotAccepted, ProviderRefused
from nexus_bookings.payments.schemas import ChapaWebhook, PaymentOut, PaymentsOut
from nexus_bookings.payments.service import InvalidSignature, NotPayable

router = APIRouter(tags=["payments"])


@router.post(
    "/bookings/{booking_id}/payments",
    status_code=201,
    summary="Pay a booking",
    responses=responses(
        IdempotencyKeyRequired,
        NotFound,
        OnlyTheGuest,
        NotPayable,
        IdempotencyInProgress,
        IdempotencyKeyReused,
        CurrencyNotAccepted,
        ProviderRefused,
        UpstreamFailed,
        UpstreamUnavailable,
    ),
)
async def pay(
    booking_id: UUID, guest: VerifiedUser, work: UnitOfWork, once: OnceAcross, neighbours: NeighboursDep
) -> PaymentOut:
    """Open a page of the payment provider: send the guest to `checkout_url`. Paid is when the provider tells us so.

    After a 503 send the same request again, with the same key. A page that is open already is answered again.
    """
    # Two transactions: our row, with its name at the provider, must be durable before the provider hears that name.
    async with work() as session:
        await once.begin(session)
        payment = await service.open_payment(session, booking_id, guest.user_id)
    checkout_url = payment.checkout_url or await service.open_checkout(payment, neighbours)
    async with work() as session:
        payment = await service.await_checkout(session, payment.id, checkout_url)
        return await once.finish(session, 201, PaymentOut.of(payment, guest.user_id))


@router.get("/bookings/{booking_id}/payments", summary="See how a booking was paid", responses=responses(NotFound))
async def list_payments(booking_id: UUID, user: CurrentUser, session: SessionDep) -> PaymentsOut:
    """All tries to pay it, newest first, for both parties."""
    booking = await bookings.get(session, booking_id, user.user_id)
    payments = await service.of_booking(session, booking.id)
    return PaymentsOut(items=[PaymentOut.of(payment, user.user_id) for payment in payments])


@router.post(
    "/payments/chapa/webhook",
    status_code=200,
    summary="Hear from Chapa",
    responses=responses(InvalidSignature, ValidationFailed),
    openapi_extra={"requestBody": {"content": {"application/json": {"schema": ChapaWebhook.model_json_schema()}}}},
)
async def webhook(
    request: Request,
    session: SessionDep,
    neighbours: NeighboursDep,
    signature: Annotated[str, Header(alias="x-chapa-signature", description="Hex HMAC-SHA256 of the raw body.")] = "",
) -> dict[str, str]:
    """Called by Chapa. It is a hint and no more: the payment it names is looked up at Chapa within a second."""
    body = await request.body()
    service.check_signature(neighbours.settings.chapa_webhook_secret.get_secret_value(), body, signature)
    await service.take_hint(session, body)
    return {"status": "received"}
