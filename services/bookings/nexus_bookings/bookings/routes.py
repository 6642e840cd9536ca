"""Booking a stay and everything its two parties do with it. Paying is in `payments`."""

from datetime import timedelta
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query, Response
from nexus_kit.auth import CurrentUser, EmailNotVerified, VerifiedUser
from nexus_kit.conditional import Conditional
from nexus_kit.db import SessionDep
from nexus_kit.errors import Busy, IllegalTransition, NotFound, responses
from nexus_kit.idempotency import (
    IdempotencyInProgress,
    IdempotencyKeyRequired,
    IdempotencyKeyReused,
    Once,
    OnceIfKeyed,
)
from nexus_kit.pages import CursorMismatch, CursorsDep, InvalidCursor, PageOf, paginate

from nexus_bookings.bookings import service
from nexus_bookings.bookings.schemas import BookingOut, BookingsQuery, CancellationPreview, NewBooking
from nexus_bookings.bookings.service import OnlyTheHost
from nexus_bookings.neighbours import NeighboursDep
from nexus_bookings.nights.service import DatesUnavailable
from nexus_bookings.quotes.service import CheckInPast, ListingNotBookable, QuoteExpired, QuoteUsed

router = APIRouter(prefix="/bookings", tags=["bookings"])
ONCE_IF_KEYED = (IdempotencyKeyReused, IdempotencyInProgress)
ONCE = (IdempotencyKeyRequired, *ONCE_IF_KEYED)


@router.post(
    "",
    status_code=201,
    summary="Book a quote",
    responses=responses(
        *ONCE,
        EmailNotVerified,
        NotFound,
        DatesUnavailable,
        QuoteExpired,
        QuoteUsed,
        ListingNotBookable,
        CheckInPast,
        Busy,
    ),
)
async def book(
    new: NewBooking, guest: VerifiedUser, session: SessionDep, once: Once, neighbours: NeighboursDep
) -> BookingOut:
    """Hold the nights of your quote at its price.

    `pending_payment`: pay before `expires_at`. `requested`: the host answers before `expires_at`, then you pay.
    """
    hold = timedelta(seconds=neighbours.settings.hold_seconds)
    booking = await service.book(session, new.quote_id, guest.user_id, hold=hold)
    return once.keep(201, BookingOut.of(booking, guest.user_id), headers={"Location": f"/api/v1/bookings/{booking.id}"})


@router.get("", summary="List your bookings", responses=responses(InvalidCursor, CursorMismatch))
async def list_bookings(
    user: CurrentUser, query: Annotated[BookingsQuery, Query()], session: SessionDep, cursors: CursorsDep
) -> PageOf[BookingOut]:
    """As a guest or as a host, newest first."""
    mine = service.of_party(user.user_id, query.role, query.status)
    rows, next_cursor = await paginate(session, mine, query, cursors, owner=user.user_id)
    return PageOf(items=[BookingOut.of(row[0], user.user_id) for row in rows], next_cursor=next_cursor)


@router.get("/{booking_id}", summary="Read a booking", responses=responses(NotFound))
async def read(
    booking_id: UUID, user: CurrentUser, session: SessionDep, conditional: Conditional, response: Response
) -> BookingOut:
    """One of your bookings, as its guest or its host."""
    booking = await service.get(session, booking_id, user.user_id)
    conditional.not_modified(response, booking.version)
    return BookingOut.of(booking, user.user_id)


@router.post(
    "/{booking_id}/accept",
    summary="Accept a request",
    responses=responses(*ONCE_IF_KEYED, NotFound, OnlyTheHost, IllegalTransition),
)
async def accept(
    booking_id: UUID, host: CurrentUser, session: SessionDep, once: OnceIfKeyed, neighbours: NeighboursDep
) -> BookingOut:
    """The nights stay held; the guest can pay now, until `expires_at`."""
    hold = timedelta(seconds=neighbours.settings.hold_seconds)
    booking = await service.accept(session, booking_id, host.user_id, hold=hold)
    return once.keep(200, BookingOut.of(booking, host.user_id))


@router.post(
    "/{booking_id}/decline",
    summary="Decline a request",
    responses=responses(*ONCE_IF_KEYED, NotFound, OnlyTheHost, IllegalTransition, Busy),
)
async def decline(booking_id: UUID, host: CurrentUser, session: SessionDep, once: OnceIfKeyed) -> BookingOut:
    """The nights are free again."""
    booking = await service.decline(session, booking_id, host.user_id)
    return once.keep(200, BookingOut.of(booking, host.user_id))


@router.get(
    "/{booking_id}/cancellation-preview",
    summary="See what cancelling would give back",
    responses=responses(NotFound, IllegalTransition),
)
async def preview_cancellation(booking_id: UUID, user: CurrentUser, session: SessionDep) -> CancellationPreview:
    """What the guest would get back if you cancelled now."""
    booking = await service.get(session, booking_id, user.user_id)
    refund = await service.refund_due(session, booking, user.user_id)
    return CancellationPreview(refund=refund, cancellation=booking.cancellation)


@router.post(
    "/{booking_id}/cancel",
    summary="Cancel a booking",
    responses=responses(*ONCE, NotFound, IllegalTransition, Busy),
)
async def cancel(booking_id: UUID, user: CurrentUser, session: SessionDep, once: Once) -> BookingOut:
    """What `cancellation-preview` promised is on its way back to the guest.

    The nights of a guest who cancels are free again; those of a host who cancels stay closed until they are opened.
    """
    booking = await service.cancel(session, booking_id, user.user_id)
    return once.keep(200, BookingOut.of(booking, user.user_id))
