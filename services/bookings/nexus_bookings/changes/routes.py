"""Changing the dates or guests of a confirmed booking. The difference is paid as the booking was: in `payments`."""

from datetime import timedelta
from uuid import UUID

from fastapi import APIRouter
from nexus_kit.auth import CurrentUser, EmailNotVerified, VerifiedUser
from nexus_kit.db import SessionDep
from nexus_kit.errors import Busy, IllegalTransition, NotFound, responses
from nexus_kit.idempotency import IdempotencyInProgress, IdempotencyKeyRequired, IdempotencyKeyReused, Once, OnceIfKeyed

from nexus_bookings.bookings import service as bookings
from nexus_bookings.bookings.service import OnlyTheGuest, OnlyTheHost
from nexus_bookings.changes import service
from nexus_bookings.changes.schemas import ChangeOut, ChangesOut, NewChange
from nexus_bookings.changes.service import ChangeOpen
from nexus_bookings.neighbours import NeighboursDep
from nexus_bookings.nights.service import DatesUnavailable
from nexus_bookings.quotes.service import CheckInPast, ListingNotBookable, NotChangeable, QuoteExpired, QuoteUsed

router = APIRouter(prefix="/bookings/{booking_id}/changes", tags=["changes"])

ONCE_IF_KEYED = (IdempotencyInProgress, IdempotencyKeyReused)


@router.post(
    "",
    status_code=201,
    summary="Change a booking",
    responses=responses(
        IdempotencyKeyRequired,
        *ONCE_IF_KEYED,
        EmailNotVerified,
        NotFound,
        OnlyTheGuest,
        NotChangeable,
        ChangeOpen,
        QuoteExpired,
        QuoteUsed,
        DatesUnavailable,
        ListingNotBookable,
        CheckInPast,
        Busy,
    ),
)
async def request(
    booking_id: UUID,
    new: NewChange,
    guest: VerifiedUser,
    session: SessionDep,
    once: Once,
    neighbours: NeighboursDep,
) -> ChangeOut:
    """Have other dates or guests, as quoted. The nights are held at once; until it is `applied`, the booking stands.

    `applied`: done, and what it costs less is on its way back. `pending_payment`: pay the difference before
    `expires_at` (POST /bookings/{id}/payments). `requested`: the host answers before `expires_at`.
    """
    hold = timedelta(seconds=neighbours.settings.hold_seconds)
    change = await service.request(session, booking_id, new.quote_id, guest.user_id, hold=hold)
    return once.keep(201, ChangeOut.of(change), headers={"Location": f"/api/v1/bookings/{booking_id}/changes"})


@router.get("", summary="List the changes of a booking", responses=responses(NotFound))
async def list_changes(booking_id: UUID, user: CurrentUser, session: SessionDep) -> ChangesOut:
    """All that were asked for, newest first, for both parties."""
    booking = await bookings.get(session, booking_id, user.user_id)
    changes = await service.of_booking(session, booking.id)
    return ChangesOut(items=[ChangeOut.of(change) for change in changes])


@router.post(
    "/{change_id}/accept",
    summary="Accept a change",
    responses=responses(*ONCE_IF_KEYED, NotFound, OnlyTheHost, IllegalTransition, NotChangeable, Busy),
)
async def accept(
    booking_id: UUID,
    change_id: UUID,
    host: CurrentUser,
    session: SessionDep,
    once: OnceIfKeyed,
    neighbours: NeighboursDep,
) -> ChangeOut:
    """It takes place now or, if it is dearer, once the guest has paid the difference."""
    hold = timedelta(seconds=neighbours.settings.hold_seconds)
    change = await service.accept(session, booking_id, change_id, host.user_id, hold=hold)
    return once.keep(200, ChangeOut.of(change))


@router.post(
    "/{change_id}/decline",
    summary="Decline a change",
    responses=responses(*ONCE_IF_KEYED, NotFound, OnlyTheHost, IllegalTransition, NotChangeable, Busy),
)
async def decline(
    booking_id: UUID, change_id: UUID, host: CurrentUser, session: SessionDep, once: OnceIfKeyed
) -> ChangeOut:
    """The booking stands as it was."""
    return once.keep(200, ChangeOut.of(await service.decline(session, booking_id, change_id, host.user_id)))
