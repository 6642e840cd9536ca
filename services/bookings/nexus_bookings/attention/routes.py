"""What waits for an operator, and what they do about it."""

from uuid import UUID

from fastapi import APIRouter
from nexus_kit.auth import AdminUser, NotAllowed
from nexus_kit.db import SessionDep
from nexus_kit.errors import IllegalTransition, NotFound, responses
from nexus_kit.idempotency import IdempotencyInProgress, IdempotencyKeyRequired, IdempotencyKeyReused, Once

from nexus_bookings.attention import service
from nexus_bookings.attention.schemas import AttentionsOut, RefundOut
from nexus_bookings.payments.models import Payment
from nexus_bookings.payouts.models import Payout
from nexus_bookings.refunds import service as refunds

router = APIRouter(prefix="/payments", tags=["operations"])


@router.get("/attention", summary="See what needs a person", responses=responses(NotAllowed))
async def everything(admin: AdminUser, session: SessionDep) -> AttentionsOut:
    """For admins: refunds that do not get through, payments that the provider took back, payouts that came back or that
    it speaks of otherwise than they were ordered. It is counted at `/metrics`.
    """
    return AttentionsOut(items=await service.everything(session))


@router.post(
    "/refunds/{refund_id}/retry",
    summary="Try a stuck refund again",
    responses=responses(
        IdempotencyKeyRequired, IdempotencyKeyReused, IdempotencyInProgress, NotAllowed, NotFound, IllegalTransition
    ),
)
async def retry(refund_id: UUID, admin: AdminUser, session: SessionDep, once: Once) -> RefundOut:
    """For admins. It keeps its reference, so a refund that was given after all is not given twice."""
    return once.keep(200, RefundOut.model_validate(await refunds.retry(session, refund_id)))


@router.post(
    "/{payment_id}/acknowledge",
    status_code=204,
    summary="Acknowledge a payment that was taken back",
    responses=responses(NotAllowed, NotFound, IllegalTransition),
)
async def acknowledge(payment_id: UUID, admin: AdminUser, session: SessionDep) -> None:
    """For admins: it has been looked into, and is no longer listed."""
    await service.acknowledge(session, Payment, payment_id)


@router.post(
    "/payouts/{payout_id}/acknowledge",
    status_code=204,
    summary="Acknowledge a payout that came back",
    responses=responses(NotAllowed, NotFound, IllegalTransition),
)
async def acknowledge_payout(payout_id: UUID, admin: AdminUser, session: SessionDep) -> None:
    """For admins: it has been looked into, and is no longer listed."""
    await service.acknowledge(session, Payout, payout_id)
