"""Paying hosts: where to, by whose order, and what became of it."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query, Response
from nexus_contracts.access_token import Role
from nexus_kit.auth import AdminUser, CurrentUser, EmailNotVerified, NotAllowed, VerifiedUser
from nexus_kit.conditional import Conditional
from nexus_kit.db import SessionDep
from nexus_kit.errors import Busy, NotFound, UpstreamFailed, UpstreamUnavailable, responses
from nexus_kit.idempotency import IdempotencyInProgress, IdempotencyKeyRequired, IdempotencyKeyReused, Once
from nexus_kit.pages import CursorMismatch, CursorsDep, InvalidCursor, PageOf, paginate

from nexus_bookings.neighbours import NeighboursDep
from nexus_bookings.payouts import service
from nexus_bookings.payouts.schemas import (
    BankOut,
    BanksOut,
    NewPayout,
    NewPayoutAccount,
    PayoutAccountOut,
    PayoutOut,
    PayoutsQuery,
)
from nexus_bookings.payouts.service import CurrencyRequired, NoPayoutAccount, NothingToPayOut

router = APIRouter(prefix="/payouts", tags=["money"])


@router.get("/banks", summary="List banks", responses=responses(UpstreamUnavailable, UpstreamFailed))
async def banks(user: CurrentUser, neighbours: NeighboursDep) -> BanksOut:
    """Where earnings can be sent to, by the payment provider's own list."""
    return BanksOut(items=[BankOut.model_validate(bank) for bank in await neighbours.payments.banks()])


@router.put("/account", summary="Say where to pay you", responses=responses(EmailNotVerified))
async def set_account(new: NewPayoutAccount, host: VerifiedUser, session: SessionDep) -> PayoutAccountOut:
    """Your bank account, for all payouts from now on. It is shown to nobody, and forgotten with your account here."""
    return PayoutAccountOut.model_validate(await service.set_account(session, host.user_id, new))


@router.get("/account", summary="See where you are paid", responses=responses(NotFound))
async def account(host: CurrentUser, session: SessionDep) -> PayoutAccountOut:
    """Your bank account, its number masked."""
    return PayoutAccountOut.model_validate(await service.account(session, host.user_id))


@router.post(
    "",
    status_code=201,
    summary="Pay a host",
    responses=responses(
        IdempotencyKeyRequired,
        NotAllowed,
        NoPayoutAccount,
        NothingToPayOut,
        IdempotencyInProgress,
        IdempotencyKeyReused,
        CurrencyRequired,
        Busy,
    ),
)
async def order(new: NewPayout, admin: AdminUser, session: SessionDep, once: Once) -> PayoutOut:
    """For admins: send all that the host has available to their bank. It is `pending` until the bank has it."""
    payout = await service.order(session, new.host_id, new.currency, admin.user_id)
    return once.keep(201, PayoutOut.model_validate(payout), headers={"Location": f"/api/v1/payouts/{payout.id}"})


@router.get("", summary="List payouts", responses=responses(InvalidCursor, CursorMismatch))
async def list_payouts(
    user: CurrentUser, query: Annotated[PayoutsQuery, Query()], session: SessionDep, cursors: CursorsDep
) -> PageOf[PayoutOut]:
    """Your own as a host, everybody's as an admin, newest first."""
    payouts = service.visible(user.user_id, query, is_admin=Role.ADMIN in user.roles)
    rows, next_cursor = await paginate(session, payouts, query, cursors, owner=user.user_id)
    return PageOf(items=[PayoutOut.model_validate(row[0]) for row in rows], next_cursor=next_cursor)


@router.get("/{payout_id}", summary="Read a payout", responses=responses(NotFound))
async def read(
    payout_id: UUID, user: CurrentUser, session: SessionDep, conditional: Conditional, response: Response
) -> PayoutOut:
    """One of your payouts; any of them for an admin."""
    payout = await service.get(session, payout_id, user.user_id, is_admin=Role.ADMIN in user.roles)
    conditional.not_modified(response, payout.version)
    return PayoutOut.model_validate(payout)
