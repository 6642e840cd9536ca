"""Prices a stay, and refuses one that cannot be booked. `routes.py` calls `quote`; bookings claims what it promised.

`timers.py` runs `forget_unused`.
"""

from datetime import UTC, datetime, timedelta
from uuid import UUID

from nexus_contracts.listings import ListingSnapshot, ListingStatus
from nexus_kit.db import Database, insert
from nexus_kit.errors import Conflict, Forbidden, NotFound, Unprocessable
from sqlalchemy import ColumnElement, bindparam, delete, exists, func, literal, select
from sqlalchemy.ext.asyncio import AsyncSession

from nexus_bookings import cancellation, pricing
from nexus_bookings.bookings.models import Booking, BookingStatus
from nexus_bookings.changes.models import BookingChange
from nexus_bookings.listings import service as listings
from nexus_bookings.listings.models import ListingCopy
from nexus_bookings.nights import service as nights
from nexus_bookings.nights.service import BookingWindow, DatesUnavailable
from nexus_bookings.pricing import Percentages, Price
from nexus_bookings.quotes.models import Quote
from nexus_bookings.quotes.schemas import NewQuote
from nexus_bookings.stays import MOST_DAYS_AHEAD, MOST_NIGHTS, Stay, today

KEPT = timedelta(days=1)
"""How long a promise that nobody took up is remembered."""
_LOOKED_AT = timedelta(days=7)
"""Of those that are older, what is still there was taken up: looking at it each time would cost more every month.

Should nobody look for a week, what is older by then stays for good."""
_AT_ONCE = 1000


class ListingNotBookable(Conflict):
    """The host does not offer this listing at present."""


class OwnListing(Forbidden):
    """A host cannot book their own listing."""


class CheckInPast(Unprocessable):
    """Check-in is over where the listing is, or too close for the host to answer."""


class AdvanceNotice(Unprocessable):
    """The host wants to know of a stay longer before it begins."""


class MinimumStay(Unprocessable):
    """The stay is shorter than the host allows on its day of arrival."""


class MaximumStay(Unprocessable):
    """The stay is longer than the host allows on its day of arrival."""


class ClosedToArrival(Unprocessable):
    """No stay begins on this day."""


class ClosedToDeparture(Unprocessable):
    """No stay ends on this day."""


class TooManyGuests(Unprocessable):
    """The listing has no room for so many guests."""


class QuoteExpired(Conflict):
    """The quote is no longer valid; ask for a new one."""


class QuoteUsed(Conflict):
    """This quote is booked already; ask for a new one."""


class NotChangeable(Conflict):
    """Only a confirmed stay that has not begun can be changed."""


class NothingChanges(Unprocessable):
    """The booking has these dates and guests already."""


class CurrencyChanged(Conflict):
    """The host asks for another currency by now than the booking was paid in."""


STAY_REFUSALS = (
    ListingNotBookable,
    OwnListing,
    CheckInPast,
    AdvanceNotice,
    BookingWindow,
    MinimumStay,
    MaximumStay,
    ClosedToArrival,
    ClosedToDeparture,
    TooManyGuests,
)
"""Why a stay is not quoted, free or not."""
REFUSALS = (NotChangeable, NothingChanges, CurrencyChanged, DatesUnavailable, *STAY_REFUSALS)
"""Why a stay is not quoted."""

_BOOKED, _CHANGED = exists().where(Booking.quote_id == Quote.id), exists().where(BookingChange.quote_id == Quote.id)
_USED = _BOOKED | _CHANGED
_CLAIM = (
    select(Quote, _USED, ListingCopy.snapshot)
    .join(ListingCopy, ListingCopy.listing_id == Quote.listing_id)
    .where(
        Quote.id == bindparam("quote_id"),
        Quote.guest_id == bindparam("guest_id"),
        Quote.booking_id.is_not_distinct_from(bindparam("booking_id")),
    )
)


async def quote(session: AsyncSession, wish: NewQuote, guest_id: UUID, percentages: Percentages) -> Quote:
    """Promise a price for nights that are free, or that the booking to change has already."""
    listing = await listings.find(session, wish.listing_id)
    changed = None if wish.booking_id is None else await _to_change(session, wish.booking_id, wish, guest_id)
    stay = Stay.at(listing, wish.check_in, wish.check_out)
    refuse(listing, stay, wish.guests, guest_id)
    await nights.refuse_sold_out(session, listing, stay, besides=wish.booking_id)
    lost = None if changed is None else changed.non_refundable
    price = pricing.price(listing, stay, wish.guests, percentages, at_least=lost)
    promised = Quote(
        booking_id=wish.booking_id,
        difference_amount=None if changed is None else _difference(price, changed),
        guest_id=guest_id,
        listing_id=listing.id,
        check_in=stay.check_in,
        check_out=stay.check_out,
        timezone=stay.timezone,
        check_in_time=stay.check_in_time,
        check_out_time=stay.check_out_time,
        guests=wish.guests,
        price=price,
        cancellation=cancellation.terms(listing, stay, non_refundable=lost),
    )
    await insert(session, promised)
    return promised


async def claim(
    session: AsyncSession, quote_id: UUID, guest_id: UUID, *, booking_id: UUID | None = None
) -> tuple[Quote, ListingSnapshot]:
    """The guest's own quote, valid and not used yet: for a new booking, or to change the one that is named.

    With the listing as it is by now. Of two at once, the unique booking, or change, of each quote stops one.
    """
    which = {"quote_id": quote_id, "guest_id": guest_id, "booking_id": booking_id}
    found = (await session.execute(_CLAIM, which)).first()
    if found is None:
        raise NotFound("There is no such quote.")
    claimed, is_used, listing = found
    if claimed.is_expired:
        raise QuoteExpired
    if is_used:
        raise QuoteUsed  # its own nights must not read as somebody else's
    return claimed, listing


async def forget_unused(database: Database) -> None:
    """Delete the promises that were never taken up, some at a time; those of bookings and changes stay.

    They are found by their ids, which say when they were made, so it takes no index of its own.
    """
    old = select(Quote.id).where(Quote.id < _made(KEPT), Quote.valid_until <= func.now(), ~_BOOKED, ~_CHANGED)
    since: ColumnElement[UUID] = _made(KEPT + _LOOKED_AT)
    while True:
        some = old.where(Quote.id >= since).order_by(Quote.id).limit(_AT_ONCE)
        async with database.unit_of_work() as session:
            deleted = (await session.scalars(delete(Quote).where(Quote.id.in_(some)).returning(Quote.id))).all()
        if len(deleted) < _AT_ONCE:
            return
        since = literal(max(deleted))


def refuse(listing: ListingSnapshot, stay: Stay, guests: int, guest_id: UUID) -> None:
    """All that must hold of a stay when it is quoted, besides free nights."""
    _refuse_beyond_window(listing, stay)
    refuse_unbookable(listing, stay)
    _refuse_party(listing, guests, guest_id)
    _refuse_by_rules(listing, stay)


def refuse_unbookable(listing: ListingSnapshot, stay: Stay) -> None:
    """What must still hold when a quote is booked, besides free nights: any other rule was its promise."""
    if listing.status is not ListingStatus.PUBLISHED:
        raise ListingNotBookable
    if stay.check_in < today(stay.timezone) or (not listing.instant_book and stay.begins_at <= datetime.now(UTC)):
        raise CheckInPast


def refuse_unchangeable(booking: Booking) -> None:
    """What must hold of a booking whenever its change moves on."""
    if booking.status is not BookingStatus.CONFIRMED or booking.stay.begins_at <= booking.as_of:
        raise NotChangeable


async def _to_change(session: AsyncSession, booking_id: UUID, wish: NewQuote, guest_id: UUID) -> Booking:
    """The guest's own booking of the listing."""
    own = select(Booking).where(Booking.id == booking_id, Booking.guest_id == guest_id)
    booking = await session.scalar(own.where(Booking.listing_id == wish.listing_id))
    if booking is None:
        raise NotFound("You have no such booking of this listing.")
    refuse_unchangeable(booking)
    if (booking.check_in, booking.check_out, booking.guests) == (wish.check_in, wish.check_out, wish.guests):
        raise NothingChanges
    return booking


def _made(ago: timedelta) -> ColumnElement[UUID]:
    """The id of what was made so long ago. A subquery, because a volatile function finds nothing by an index."""
    return select(func.uuidv7(-ago, type_=Quote.id.type)).scalar_subquery()


def _difference(price: Price, booking: Booking) -> int:
    if price.total.currency != booking.currency:
        raise CurrencyChanged
    return price.total.amount - booking.total_amount


def _refuse_beyond_window(listing: ListingSnapshot, stay: Stay) -> None:
    """First of all: dates near the end of the calendar have no instants."""
    days = min(listing.booking_window_days, MOST_DAYS_AHEAD)
    if stay.check_in > today(stay.timezone) + timedelta(days=days):
        raise BookingWindow(f"Check-in may be at most {days} days from now.", days=days)


def _refuse_by_rules(listing: ListingSnapshot, stay: Stay) -> None:
    """The host's rules for the dates, as they are at the time of the quote."""
    on_arrival, on_departure = listing.rates.on(stay.check_in), listing.rates.on(stay.check_out)
    shortest = on_arrival.min_nights or listing.min_nights
    longest = min(on_arrival.max_nights or listing.max_nights, MOST_NIGHTS)
    notice = listing.advance_notice_hours
    if notice and stay.begins_at < datetime.now(UTC) + timedelta(hours=notice):
        raise AdvanceNotice(f"At least {notice} hours before check-in.", hours=notice)
    if stay.length < shortest:
        raise MinimumStay(f"At least {shortest} nights.", nights=shortest)
    if stay.length > longest:
        raise MaximumStay(f"At most {longest} nights.", nights=longest)
    if on_arrival.closed_to_arrival:
        raise ClosedToArrival(f"No stay begins on {stay.check_in}.", day=stay.check_in.isoformat())
    if on_departure.closed_to_departure:
        raise ClosedToDeparture(f"No stay ends on {stay.check_out}.", day=stay.check_out.isoformat())


def _refuse_party(listing: ListingSnapshot, guests: int, guest_id: UUID) -> None:
    """A booking takes one unit, however many the listing has, so all guests must fit into one."""
    if listing.host_id == guest_id:
        raise OwnListing
    if guests > listing.capacity:
        raise TooManyGuests(f"At most {listing.capacity} guests.", guests=listing.capacity)
