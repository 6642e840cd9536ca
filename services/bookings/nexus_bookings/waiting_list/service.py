"""Lets guests wait for sold-out nights, and offers freed ones to the first in line: as a booking, held for them.

`routes.py` calls what guests do, `timers.py` offers, `erasure.py` ends what a closed account waits for. An offer is an
ordinary booking, so its hold, payment and expiry are those of any other; what it leaves goes to the next.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

import structlog
from nexus_contracts.bookings import Party
from nexus_contracts.changes import WaitingListOffered
from nexus_contracts.listings import ListingStatus
from nexus_kit.db import lock
from nexus_kit.errors import Conflict, NotFound
from nexus_kit.outbox import emit
from nexus_kit.runtime import Runtime
from sqlalchemy import ColumnElement, Select, exists, func, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from nexus_bookings.bookings import service as bookings
from nexus_bookings.bookings.models import HOLDING, Booking, BookingStatus
from nexus_bookings.listings import service as listings
from nexus_bookings.listings.models import ListingCopy
from nexus_bookings.nights import service as nights
from nexus_bookings.pricing import Percentages
from nexus_bookings.quotes import service as quotes
from nexus_bookings.quotes.schemas import NewQuote, WantedStay
from nexus_bookings.stays import Stay
from nexus_bookings.waiting_list import queries
from nexus_bookings.waiting_list.models import EntryStatus, WaitingEntry

log = structlog.get_logger(__name__)

MOST_ENTRIES = 10
"""Per guest, so that nobody waits for everything."""


class NotSoldOut(Conflict):
    """All of these nights are free: book them."""


class AlreadyWaiting(Conflict):
    """You wait for some of these nights already."""


class WaitingListFull(Conflict):
    """You wait for as many stays as anybody may."""


@dataclass(frozen=True)
class OfferTerms:
    """What the settings say of an offer."""

    hold: timedelta
    percentages: Percentages


async def join(session: AsyncSession, wish: WantedStay, guest_id: UUID) -> tuple[WaitingEntry, int]:
    """Get in line for a stay that could be booked, were it not sold out."""
    listing = await listings.find(session, wish.listing_id)
    stay = Stay.at(listing, wish.check_in, wish.check_out)
    quotes.refuse(listing, stay, wish.guests, guest_id)
    await lock(session, f"waiting list of {guest_id}")  # so that two at once are not both within the limit
    mine = select(WaitingEntry).where(WaitingEntry.guest_id == guest_id, WaitingEntry.status == EntryStatus.WAITING)
    waiting = (await session.scalars(mine)).all()
    if len(waiting) >= MOST_ENTRIES:
        raise WaitingListFull(f"At most {MOST_ENTRIES} stays at a time.", stays=MOST_ENTRIES)
    if any(
        (each.listing_id, each.check_in < stay.check_out, each.check_out > stay.check_in) == (listing.id, True, True)
        for each in waiting
    ):
        raise AlreadyWaiting
    await lock(session, listing.id)  # nights freed from now on find the entry
    if not await nights.full(session, listing, stay):
        raise NotSoldOut
    entry = WaitingEntry(
        guest_id=guest_id,
        listing_id=listing.id,
        listing_title=listing.title,
        check_in=stay.check_in,
        check_out=stay.check_out,
        guests=wish.guests,
    )
    session.add(entry)
    await session.flush()
    place = await session.scalar(select(queries.place()).select_from(WaitingEntry).where(WaitingEntry.id == entry.id))
    await session.refresh(entry)
    return entry, place or 1


async def leave(session: AsyncSession, entry_id: UUID, guest_id: UUID) -> None:
    """Get out of line. What was offered already is a booking, and stays one."""
    entry = await session.scalar(
        select(WaitingEntry).where(WaitingEntry.id == entry_id, WaitingEntry.guest_id == guest_id).with_for_update()
    )
    if entry is None:
        raise NotFound("There is no such entry.")
    await session.delete(entry)


async def leave_all_of(session: AsyncSession, guest_id: UUID) -> None:
    """The guest is gone: nobody waits for them to answer, and what is held for them goes to the next in line."""
    waiting = (WaitingEntry.guest_id == guest_id) & (WaitingEntry.status == EntryStatus.WAITING)
    await session.execute(update(WaitingEntry).where(waiting).values(status=EntryStatus.ENDED, due=False))
    # Second, so that what was being offered until now is among them.
    offers = select(Booking.id).join(WaitingEntry, WaitingEntry.booking_id == Booking.id)
    untaken = Booking.status.in_([BookingStatus.REQUESTED, BookingStatus.PENDING_PAYMENT])
    theirs = offers.where(WaitingEntry.guest_id == guest_id, untaken).order_by(Booking.id)
    for booking_id in await session.scalars(theirs.with_for_update(of=Booking)):  # what was paid meanwhile stays
        await bookings.cancel(session, booking_id, guest_id)


def of_guest(guest_id: UUID) -> Select[WaitingEntry, int]:
    """The guest's entries with their places, newest first."""
    mine = select(WaitingEntry, queries.place()).where(WaitingEntry.guest_id == guest_id)
    return mine.order_by(WaitingEntry.id.desc())


async def offer_freed(runtime: Runtime, terms: OfferTerms) -> None:
    """Look at everybody whose nights became free, in the order of the line, each in its own transaction.

    Where one cannot be looked at, the line stays as it is until the next round; the other lines are not to blame.
    """
    for listing_id in await _listings_due(runtime):
        more = True
        while more:
            try:
                async with runtime.database.unit_of_work() as session:
                    more = await _look_at_next(session, listing_id, terms)
            except Exception:
                log.exception("freed nights not offered", listing=str(listing_id))
                break


async def end_past(session: AsyncSession) -> None:
    """Nobody waits for nights that are over everywhere."""
    past = (WaitingEntry.status == EntryStatus.WAITING) & (WaitingEntry.check_in < func.current_date() - 1)
    await session.execute(update(WaitingEntry).where(past).values(status=EntryStatus.ENDED, due=False))


async def _listings_due(runtime: Runtime) -> Sequence[UUID]:
    """Of those that are offered at present: the others' lines stay as they are."""
    due = select(WaitingEntry.listing_id).join(ListingCopy, ListingCopy.listing_id == WaitingEntry.listing_id)
    published = ListingCopy.snapshot["status"].astext == ListingStatus.PUBLISHED
    async with runtime.database.unit_of_work() as session:
        return (await session.scalars(due.where(WaitingEntry.due, published).distinct())).all()


async def _look_at_next(session: AsyncSession, listing_id: UUID, terms: OfferTerms) -> bool:
    """Offer the first entry that is due its stay, if it is free. False: there is none."""
    await lock(session, listing_id)  # before the entry: as freeing nights does
    first = select(WaitingEntry).where(WaitingEntry.due, WaitingEntry.listing_id == listing_id)
    entry = await session.scalar(first.order_by(WaitingEntry.id).limit(1).with_for_update())
    if entry is None:
        return False
    entry.due = False
    if await session.scalar(select(_has_it_already(entry))):
        entry.status = EntryStatus.ENDED
        return True
    try:
        async with session.begin_nested():
            await _offer(session, entry, terms)
    except nights.DatesUnavailable:
        pass  # not all of it yet
    except quotes.REFUSALS:  # by what the host says now; it would only keep the nights from others
        entry.status = EntryStatus.ENDED
    return True


async def _offer(session: AsyncSession, entry: WaitingEntry, terms: OfferTerms) -> None:
    """A booking at today's price, as if the guest had made it."""
    wish = NewQuote(
        listing_id=entry.listing_id, check_in=entry.check_in, check_out=entry.check_out, guests=entry.guests
    )
    quote = await quotes.quote(session, wish, entry.guest_id, terms.percentages)
    booking = await bookings.book(session, quote.id, entry.guest_id, hold=terms.hold, by=Party.SYSTEM)
    entry.status, entry.booking_id = EntryStatus.OFFERED, booking.id
    offered = WaitingListOffered(
        **booking.facts(),
        entry_id=entry.id,
        awaits_host=booking.status is BookingStatus.REQUESTED,
        expires_at=booking.expires_at,
    )
    await emit(session, offered, sequence=1)


def _has_it_already(entry: WaitingEntry) -> ColumnElement[bool]:
    """The guest was quicker, and booked nights of it."""
    return (
        exists()
        .where(Booking.guest_id == entry.guest_id, Booking.listing_id == entry.listing_id)
        .where(Booking.status.in_(HOLDING), Booking.check_in < entry.check_out, Booking.check_out > entry.check_in)
    )
