"""Every move of a change, one function each. The booking stays confirmed, and holds the nights of both stays meanwhile.

`routes.py` calls what the parties do, `timers.py` what time does, `settlement` what money does; a booking that is
cancelled ends its change itself. All lock the booking's row first, so nobody else moves the change at the same time.
"""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any
from uuid import UUID

from nexus_contracts.bookings import Party
from nexus_contracts.changes import (
    BookingChanged,
    BookingChangeDeclined,
    BookingChangeExpired,
    BookingChangeFact,
    BookingChangeHeld,
    BookingChangeRequested,
    StayTerms,
)
from nexus_kit.errors import Conflict, IllegalTransition, NotFound
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from nexus_bookings.bookings import service as bookings
from nexus_bookings.bookings.models import Booking
from nexus_bookings.bookings.service import TIME_TO_ANSWER, OnlyTheGuest, OnlyTheHost
from nexus_bookings.changes.models import OPEN, BookingChange, ChangeStatus
from nexus_bookings.ledger import service as ledger
from nexus_bookings.movements import Kind
from nexus_bookings.nights import service as nights
from nexus_bookings.quotes import service as quotes
from nexus_bookings.refunds import service as refunds
from nexus_bookings.refunds.models import RefundReason


class ChangeOpen(Conflict):
    """The booking has a change that awaits an answer or a payment; one at a time."""


async def request(
    session: AsyncSession, booking_id: UUID, quote_id: UUID, guest_id: UUID, *, hold: timedelta
) -> BookingChange:
    """Take the nights of the quote besides those that the booking has, and go on as far as nobody else is needed."""
    booking = await bookings.lock(session, booking_id, guest_id)
    if booking.guest_id != guest_id:
        raise OnlyTheGuest
    await expire(session, booking)
    quotes.refuse_unchangeable(booking)
    quote, listing = await quotes.claim(session, quote_id, guest_id, booking_id=booking.id)
    if await _open(session, booking) is not None:
        raise ChangeOpen
    if quote.price.total.amount - booking.total_amount != quote.difference_amount:
        raise quotes.QuoteExpired("The booking has changed since; ask for a new quote.")
    quotes.refuse_unbookable(listing, quote.stay)
    change = BookingChange(
        booking_id=booking.id,
        quote=quote,
        status=ChangeStatus.REQUESTED,
        expires_at=min(booking.as_of + TIME_TO_ANSWER, booking.stay.begins_at, quote.stay.begins_at),
    )
    session.add(change)
    await session.flush()
    await nights.take(session, booking.listing_id, quote.stay, booking.id)
    if listing.instant_book:
        await _agree(session, booking, change, Party.GUEST, hold=hold)
    else:
        await _tell(session, BookingChangeRequested, booking, change, Party.GUEST, expires_at=change.expires_at)
    return change


async def accept(
    session: AsyncSession, booking_id: UUID, change_id: UUID, host_id: UUID, *, hold: timedelta
) -> BookingChange:
    """The host says yes in time: what is not dearer takes place at once, anything else when it is paid."""
    booking, change = await _requested(session, booking_id, change_id, host_id)
    await _agree(session, booking, change, Party.HOST, hold=hold)
    return change


async def decline(session: AsyncSession, booking_id: UUID, change_id: UUID, host_id: UUID) -> BookingChange:
    """The host says no: the booking stands as it was."""
    booking, change = await _requested(session, booking_id, change_id, host_id)
    change.move(ChangeStatus.DECLINED)
    await nights.release(session, booking.listing_id, booking.id, keep=booking.stay)
    await _tell(session, BookingChangeDeclined, booking, change, Party.HOST)
    return change


async def paid(session: AsyncSession, change_id: UUID) -> bool:
    """The difference is there; settlement has locked the booking. False if it is too late: it must go back."""
    change = await session.get_one(BookingChange, change_id, populate_existing=True)
    if change.status is not ChangeStatus.PENDING_PAYMENT or change.is_overdue:
        return False
    await _apply(session, await bookings.lock(session, change.booking_id), change, Party.SYSTEM, "The money arrived.")
    return True


async def expire(session: AsyncSession, booking: Booking) -> None:
    """End the booking's open change if its time is up: the booking stands as it was. The caller has locked it."""
    change = await _open(session, booking)
    if change is None or not change.is_overdue:
        return
    asked = change.status is ChangeStatus.REQUESTED
    change.move(ChangeStatus.EXPIRED)
    await nights.release(session, booking.listing_id, booking.id, keep=booking.stay)
    why = "The host did not answer in time." if asked else "Nobody paid in time."
    await _tell(session, BookingChangeExpired, booking, change, Party.SYSTEM, why=why)
    await session.refresh(booking, ["as_of"])  # writing a row makes the session forget what the database computes


async def awaiting_payment(session: AsyncSession, booking: Booking) -> BookingChange | None:
    """The change that the guest can pay for now."""
    change = await _open(session, booking)
    awaits = change is not None and change.status is ChangeStatus.PENDING_PAYMENT and not change.is_overdue
    return change if awaits else None


async def of_booking(session: AsyncSession, booking_id: UUID) -> Sequence[BookingChange]:
    """All changes, newest first."""
    its = select(BookingChange).where(BookingChange.booking_id == booking_id).order_by(BookingChange.id.desc())
    return (await session.scalars(its)).all()


async def _open(session: AsyncSession, booking: Booking) -> BookingChange | None:
    its_open = select(BookingChange).where(BookingChange.booking_id == booking.id, BookingChange.status.in_(OPEN))
    return await session.scalar(its_open.execution_options(populate_existing=True))


async def _requested(
    session: AsyncSession, booking_id: UUID, change_id: UUID, host_id: UUID
) -> tuple[Booking, BookingChange]:
    booking = await bookings.lock(session, booking_id, host_id)
    if booking.host_id != host_id:
        raise OnlyTheHost
    change = await session.get(BookingChange, change_id, populate_existing=True)
    if change is None or change.booking_id != booking.id:
        raise NotFound("The booking has no such change.")
    if change.status is not ChangeStatus.REQUESTED or change.is_overdue:
        raise IllegalTransition("This change does not await an answer any more.")
    quotes.refuse_unchangeable(booking)
    return booking, change


async def _agree(session: AsyncSession, booking: Booking, change: BookingChange, by: Party, *, hold: timedelta) -> None:
    """Nobody has to answer any more."""
    if change.difference.to_pay.amount == 0:
        await _apply(session, booking, change, by)
        return
    change.move(ChangeStatus.PENDING_PAYMENT, min(booking.as_of + hold, booking.stay.begins_at))
    await _tell(session, BookingChangeHeld, booking, change, by, expires_at=change.expires_at)


async def _apply(
    session: AsyncSession, booking: Booking, change: BookingChange, by: Party, why: str | None = None
) -> None:
    """The booking becomes the new stay: nights, price, terms and money in one transaction."""
    before = _terms(booking)
    change.move(ChangeStatus.APPLIED)
    booking.agree(change.quote)
    await nights.release(session, booking.listing_id, booking.id, keep=booking.stay)
    await ledger.earn(session, booking, change.id, Kind.CHANGED)
    await refunds.order_for_booking(session, booking.id, change.difference.to_refund, RefundReason.CHANGED)
    await _tell(session, BookingChanged, booking, change, by, why=why, before=before)


async def _tell(
    session: AsyncSession,
    fact: type[BookingChangeFact],
    booking: Booking,
    change: BookingChange,
    by: Party,
    *,
    before: StayTerms | None = None,
    **more: Any,
) -> None:
    """Every move of a change is one of its booking, too. What was agreed before is still so, if it is not given."""
    booking.version += 1
    after = StayTerms(
        check_in=change.quote.check_in,
        check_out=change.quote.check_out,
        guests=change.quote.guests,
        total=change.quote.price.total,
    )
    stays: dict[str, Any] = {"change_id": change.id, "before": before or _terms(booking), "after": after}
    await bookings.tell(session, fact, booking, by, **stays, **dict(change.difference), **more)


def _terms(booking: Booking) -> StayTerms:
    return StayTerms(check_in=booking.check_in, check_out=booking.check_out, guests=booking.guests, total=booking.total)
