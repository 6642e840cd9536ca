"""What the calendar shows, to everybody and to the host. `routes.py` calls it; nothing is written here."""

from collections.abc import Sequence
from datetime import date
from uuid import UUID

from nexus_contracts.listings import ListingSnapshot, ListingStatus
from sqlalchemy import Row, func, select
from sqlalchemy.ext.asyncio import AsyncSession

from nexus_bookings.listings import service as listings
from nexus_bookings.nights import service
from nexus_bookings.nights.models import ClosedBy, Night
from nexus_bookings.nights.schemas import AvailabilityOut, BlockedNightOut, BlocksOut, NightOut, Period
from nexus_bookings.stays import nights_between


async def calendar(session: AsyncSession, listing_id: UUID, period: Period) -> AvailabilityOut:
    """Every night of the period."""
    listing = await listings.find(session, listing_id)
    taken = await service.taken(session, listing.id, period.first, period.end)
    offered = listing.units if listing.status is ListingStatus.PUBLISHED else 0
    return AvailabilityOut(
        listing_id=listing.id,
        timezone=listing.timezone,
        items=[
            _night(listing, night, free_units=max(offered - taken.get(night, 0), 0))
            for night in nights_between(period.first, period.end)
        ],
    )


async def blocks(session: AsyncSession, listing: ListingSnapshot, period: Period) -> BlocksOut:
    """Every night of the period, as its host sees it."""
    rows = await session.execute(
        select(
            Night.night,
            func.count(Night.booking_id).label("booked"),
            func.count(Night.closed_by).label("closed"),
            func.array_agg(Night.closed_by.distinct()).label("closed_by"),
        )
        .where(Night.listing_id == listing.id, Night.night >= period.first, Night.night < period.end)
        .group_by(Night.night)
    )
    held = {row.night: row for row in rows}
    return BlocksOut(
        listing_id=listing.id,
        timezone=listing.timezone,
        items=[_blocked(listing, night, held.get(night)) for night in nights_between(period.first, period.end)],
    )


def _night(listing: ListingSnapshot, night: date, *, free_units: int) -> NightOut:
    terms = listing.rates.on(night)
    return NightOut(
        night=night,
        free_units=free_units,
        price=terms.price or listing.price,
        min_nights=terms.min_nights or listing.min_nights,
        max_nights=terms.max_nights or listing.max_nights,
        closed_to_arrival=terms.closed_to_arrival,
        closed_to_departure=terms.closed_to_departure,
    )


def _blocked(
    listing: ListingSnapshot, night: date, held: Row[date, int, int, Sequence[ClosedBy | None]] | None
) -> BlockedNightOut:
    booked, closed = (held.booked, held.closed) if held else (0, 0)
    return BlockedNightOut(
        night=night,
        free_units=max(listing.units - booked - closed, 0),
        booked_units=booked,
        closed_units=closed,
        closed_by=sorted(each for each in held.closed_by if each) if held else [],
    )
