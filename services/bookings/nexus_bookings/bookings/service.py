"""Every move of a booking, one function each: it changes the row, takes or frees the nights, and tells the world.

`routes.py` calls what the parties do, `timers.py` what time does, `settlement` what money does. Locks are taken in one
order: the booking's row, its payments, its listing's nights.
"""

from datetime import timedelta
from typing import Any
from uuid import UUID

from nexus_contracts.bookings import (
    BookingAccepted,
    BookingCancelled,
    BookingCompleted,
    BookingConfirmed,
    BookingDeclined,
    BookingExpired,
    BookingFact,
    BookingHeld,
    BookingRequested,
    Party,
)
from nexus_contracts.money import Money
from nexus_kit.db import insert
from nexus_kit.errors import Forbidden, IllegalTransition, NotFound
from nexus_kit.outbox import emit
from sqlalchemy import Select, func, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from nexus_bookings.bookings.models import Booking, BookingStatus
from nexus_bookings.changes.models import end_open_change
from nexus_bookings.ledger import service as ledger
from nexus_bookings.listings import service as listings
from nexus_bookings.nights import service as nights
from nexus_bookings.quotes import service as quotes
from nexus_bookings.refunds import service as refunds
from nexus_bookings.timeline import service as timeline

TIME_TO_ANSWER = timedelta(hours=24)


class OnlyTheHost(Forbidden):
    """Only the host answers a request."""


class OnlyTheGuest(Forbidden):
    """Only the guest pays for a booking, and asks for other dates or guests."""


async def book(
    session: AsyncSession, quote_id: UUID, guest_id: UUID, *, hold: timedelta, by: Party = Party.GUEST
) -> Booking:
    """Hold the nights of a quote: for `hold`, or for at most 24 hours when the host must answer first.

    `by` is the system when it offers them to a guest who waits.
    """
    quote, listing = await quotes.claim(session, quote_id, guest_id)
    quotes.refuse_unbookable(listing, quote.stay)
    await nights.refuse_sold_out(session, listing, quote.stay)  # so that most losers of a race never queue for the lock
    to_answer = min(quote.as_of + TIME_TO_ANSWER, quote.stay.begins_at)
    booking = Booking(
        version=1,
        status=BookingStatus.PENDING_PAYMENT if listing.instant_book else BookingStatus.REQUESTED,
        quote_id=quote.id,
        listing_id=listing.id,
        listing_title=listing.title,
        host_id=listing.host_id,
        guest_id=guest_id,
        expires_at=quote.as_of + hold if listing.instant_book else to_answer,
    )
    booking.agree(quote)
    await insert(session, booking)
    await nights.take(session, listing.id, booking.stay, booking.id)
    fact = BookingHeld if listing.instant_book else BookingRequested
    why = "From the waiting list." if by is Party.SYSTEM else None
    await tell(session, fact, booking, by, why=why, expires_at=booking.expires_at)
    return booking


async def accept(session: AsyncSession, booking_id: UUID, host_id: UUID, *, hold: timedelta) -> Booking:
    """The host says yes in time: the nights stay held, now until the guest has paid."""
    booking = await _requested(session, booking_id, host_id)
    booking.move(BookingStatus.PENDING_PAYMENT)
    booking.expires_at = booking.as_of + hold
    await tell(session, BookingAccepted, booking, Party.HOST, expires_at=booking.expires_at)
    return booking


async def decline(session: AsyncSession, booking_id: UUID, host_id: UUID) -> Booking:
    """The host says no."""
    booking = await _requested(session, booking_id, host_id)
    booking.move(BookingStatus.DECLINED)
    await nights.release(session, booking.listing_id, booking.id)
    await tell(session, BookingDeclined, booking, Party.HOST)
    return booking


async def cancel(session: AsyncSession, booking_id: UUID, user_id: UUID) -> Booking:
    """A party calls it off: what the terms give back is ordered from the payment provider.

    A guest's nights are free again; a host's stay closed, so that nobody cancels to sell them to somebody else.
    """
    booking = await lock(session, booking_id, user_id)
    refund = await refund_due(session, booking, user_id)
    await refunds.order_for_booking(session, booking.id, refund)
    party = booking.party(user_id)
    assert party is not None, "nobody else could lock it"
    if party is Party.HOST:
        await ledger.release_rest(session, booking)
    await _cancel(session, booking, party, refund)
    return booking


async def call_off(session: AsyncSession, booking_id: UUID, taken_back: Money) -> bool:
    """The provider took a stay's money back: what else was paid goes back, too. False if the stay is not ahead."""
    booking = await lock(session, booking_id)
    if booking.status is not BookingStatus.CONFIRMED or booking.stay.begins_at <= booking.as_of:
        return False
    rest = await refunds.paid_for_booking(session, booking.id)
    await refunds.order_for_booking(session, booking.id, booking.money(rest))
    refund = booking.money(taken_back.amount + rest)
    await _cancel(session, booking, Party.SYSTEM, refund, why="The payment provider took the money back.")
    return True


async def refund_due(session: AsyncSession, booking: Booking, user_id: UUID) -> Money:
    """What comes back if this party cancels now; `IllegalTransition` if the booking cannot be cancelled any more."""
    booking.check_move(BookingStatus.CANCELLED)
    paid = await refunds.paid_for_booking(session, booking.id)
    by_host = booking.party(user_id) is Party.HOST
    return booking.money(paid if by_host else booking.cancellation.refund(paid, booking.as_of))


async def confirm(session: AsyncSession, booking_id: UUID) -> bool:
    """Sell the held nights: the money is there. False when they are gone, and the money must go back.

    In time is a compare-and-set by the database clock. Money that is late still buys nights that are offered and free.
    """
    in_time = (
        update(Booking)
        .where(
            Booking.id == booking_id, Booking.status == BookingStatus.PENDING_PAYMENT, Booking.expires_at > func.now()
        )
        .values(status=BookingStatus.CONFIRMED, expires_at=None, version=Booking.version + 1)
        .returning(Booking)
        .execution_options(synchronize_session=False, populate_existing=True)
    )
    booking = await session.scalar(in_time) or await _confirm_late(session, booking_id)
    if booking is None:
        return False
    await tell(session, BookingConfirmed, booking, Party.SYSTEM, why="The money arrived.")
    return True


async def _confirm_late(session: AsyncSession, booking_id: UUID) -> Booking | None:
    booking = await lock(session, booking_id)
    if booking.status is BookingStatus.EXPIRED:
        listing = await listings.known(session, booking.listing_id)
        try:
            quotes.refuse_unbookable(listing, booking.stay)
            async with session.begin_nested():
                await nights.take(session, listing.id, booking.stay, booking.id)
        except quotes.REFUSALS:
            return None
    elif booking.status is not BookingStatus.PENDING_PAYMENT:  # overdue, but it still has its nights
        return None
    booking.move(BookingStatus.CONFIRMED)
    return booking


async def expire(session: AsyncSession, booking: Booking) -> None:
    """Time is up for a booking that waits; `timers.py` has locked it."""
    asked = booking.status is BookingStatus.REQUESTED
    booking.move(BookingStatus.EXPIRED)
    await nights.release(session, booking.listing_id, booking.id)
    why = "The host did not answer in time." if asked else "Nobody paid in time."
    await tell(session, BookingExpired, booking, Party.SYSTEM, why=why)


async def complete(session: AsyncSession, booking: Booking) -> None:
    """The stay is over; `timers.py` has locked the booking."""
    booking.move(BookingStatus.COMPLETED)
    await nights.release(session, booking.listing_id, booking.id)
    await tell(session, BookingCompleted, booking, Party.SYSTEM)


async def get(session: AsyncSession, booking_id: UUID, user_id: UUID) -> Booking:
    """A booking as one of its parties; `NotFound` for anybody else."""
    return _visible(await session.get(Booking, booking_id), user_id)


async def lock(session: AsyncSession, booking_id: UUID, user_id: UUID | None = None) -> Booking:
    """A booking that nobody else moves until this transaction ends, for one of its parties or for the house."""
    statement = select(Booking).where(Booking.id == booking_id).with_for_update()
    booking = await session.scalar(statement.execution_options(populate_existing=True))
    return _visible(booking, user_id)


def of_party(user_id: UUID, party: Party, status: BookingStatus | None) -> Select[Booking]:
    """The user's bookings as guest or as host, newest first."""
    mine = Booking.guest_id if party is Party.GUEST else Booking.host_id
    statement = select(Booking).where(mine == user_id).order_by(Booking.id.desc())
    return statement if status is None else statement.where(Booking.status == status)


def _visible(booking: Booking | None, user_id: UUID | None) -> Booking:
    if booking is None or (user_id is not None and booking.party(user_id) is None):
        raise NotFound("There is no such booking.")
    return booking


async def tell(
    session: AsyncSession, fact: type[BookingFact], booking: Booking, by: Party, *, why: str | None = None, **more: Any
) -> None:
    """Make a move known, under the version that it gave the booking: a line of its timeline, and an event."""
    await timeline.record(session, fact, booking, by, why)
    await emit(session, fact(**booking.facts(), **more), sequence=booking.version)


async def _cancel(session: AsyncSession, booking: Booking, by: Party, refund: Money, *, why: str | None = None) -> None:
    booking.move(BookingStatus.CANCELLED)
    booking.cancelled_by, booking.refund_amount = by, refund.amount
    await session.execute(end_open_change(booking.id))
    await nights.release(session, booking.listing_id, booking.id, keep=booking.stay)  # what only the change would have
    give_up = nights.keep_closed if by is Party.HOST else nights.release
    await give_up(session, booking.listing_id, booking.id)
    await tell(session, BookingCancelled, booking, by, why=why, cancelled_by=by, refund=refund)


async def _requested(session: AsyncSession, booking_id: UUID, host_id: UUID) -> Booking:
    booking = await lock(session, booking_id, host_id)
    if booking.party(host_id) is not Party.HOST:
        raise OnlyTheHost
    if booking.status is not BookingStatus.REQUESTED or booking.is_overdue:
        raise IllegalTransition("This request does not await an answer any more.")
    return booking
