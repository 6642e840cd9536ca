"""Prices a stay, and refuses one that cannot be booked. `routes.py` calls `quote`; bookings claims what it promised."""

from datetime import UTC, datetime, timedelta
from uuid import UUID

from nexus_contracts.listings import ListingSnapshot, ListingStatus
from nexus_kit.errors import Conflict, Forbidden, NotFound, Unprocessable
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from nexus_bookings import cancellation, pricing
from nexus_bookings.listings import service as listings
from nexus_bookings.nights import service as nights
from nexus_bookings.nights.service import DatesUnavailable
from nexus_bookings.quotes.models import Quote
from nexus_bookings.quotes.schemas import NewQuote
from nexus_bookings.stays import MOST_DAYS_AHEAD, MOST_NIGHTS, Stay


class ListingNotBookable(Conflict):
    """The host does not offer this listing at present."""


class OwnListing(Forbidden):
    """A host cannot book their own listing."""


class CheckInPast(Unprocessable):
    """Check-in is over where the listing is, or too close for the host to answer."""


class TooFarAhead(Unprocessable):
    """The listing cannot be booked for dates that far away yet."""


class MinimumStay(Unprocessable):
    """The stay is shorter than the host allows."""


class MaximumStay(Unprocessable):
    """The stay is longer than the host allows."""


class TooManyGuests(Unprocessable):
    """The listing has no room for so many guests."""


class QuoteExpired(Conflict):
    """The quote is no longer valid; ask for a new one."""


REFUSALS = (
    DatesUnavailable,
    ListingNotBookable,
    OwnListing,
    CheckInPast,
    TooFarAhead,
    MinimumStay,
    MaximumStay,
    TooManyGuests,
)
"""Why a stay is not quoted."""


async def quote(session: AsyncSession, wish: NewQuote, guest_id: UUID, *, service_fee_percent: int) -> Quote:
    """Promise a price for free nights."""
    listing = await listings.find(session, wish.listing_id)
    stay = Stay(wish.check_in, wish.check_out, listing.timezone)
    refuse_unbookable(listing, stay)
    refuse_by_rules(listing, stay, wish.guests, guest_id)
    await nights.refuse_sold_out(session, listing, stay)
    promised = Quote(
        guest_id=guest_id,
        listing_id=listing.id,
        check_in=stay.check_in,
        check_out=stay.check_out,
        timezone=stay.timezone,
        guests=wish.guests,
        price=pricing.price(listing, stay, service_fee_percent=service_fee_percent),
        cancellation=cancellation.terms(listing.cancellation_policy, stay),
    )
    session.add(promised)
    await session.flush()
    return promised


async def claim(session: AsyncSession, quote_id: UUID, guest_id: UUID) -> Quote:
    """The guest's own quote, still valid. That it is booked once only is up to the unique booking of each quote."""
    claimed = await session.scalar(select(Quote).where(Quote.id == quote_id, Quote.guest_id == guest_id))
    if claimed is None:
        raise NotFound("There is no such quote.")
    if claimed.is_expired:
        raise QuoteExpired
    return claimed


def refuse_unbookable(listing: ListingSnapshot, stay: Stay) -> None:
    """What must still hold when a quote is booked: the listing is offered, and the stay lies ahead, not too far."""
    if listing.status is not ListingStatus.PUBLISHED:
        raise ListingNotBookable
    if stay.check_in > stay.today + timedelta(days=MOST_DAYS_AHEAD):
        raise TooFarAhead(f"Check-in may be at most {MOST_DAYS_AHEAD} days from now.", days=MOST_DAYS_AHEAD)
    if stay.check_in < stay.today or (not listing.instant_book and stay.begins_at <= datetime.now(UTC)):
        raise CheckInPast


def refuse_by_rules(listing: ListingSnapshot, stay: Stay, guests: int, guest_id: UUID) -> None:
    """The host's rules at the time of the quote."""
    length = stay.length
    longest = min(listing.max_nights, MOST_NIGHTS)
    if listing.host_id == guest_id:
        raise OwnListing
    if length < listing.min_nights:
        raise MinimumStay(f"At least {listing.min_nights} nights.", nights=listing.min_nights)
    if length > longest:
        raise MaximumStay(f"At most {longest} nights.", nights=longest)
    if guests > listing.capacity:
        raise TooManyGuests(f"At most {listing.capacity} guests.", guests=listing.capacity)
