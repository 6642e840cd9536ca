"""Reads the calendar for `routes.py`."""

from uuid import UUID

from nexus_contracts.listings import ListingStatus
from sqlalchemy.ext.asyncio import AsyncSession

from nexus_bookings.listings import service as listings
from nexus_bookings.nights import service
from nexus_bookings.nights.schemas import AvailabilityOut, NightOut, Period
from nexus_bookings.stays import Stay


async def calendar(session: AsyncSession, listing_id: UUID, period: Period) -> AvailabilityOut:
    """Every night of the period."""
    listing = await listings.find(session, listing_id)
    period_as_stay = Stay(period.first, period.end, listing.timezone)
    taken = await service.taken(session, listing.id, period.first, period.end)
    offered = listing.units if listing.status is ListingStatus.PUBLISHED else 0
    return AvailabilityOut(
        listing_id=listing.id,
        timezone=listing.timezone,
        items=[
            NightOut(night=night, free_units=max(offered - taken.get(night, 0), 0), price=listing.price)
            for night in period_as_stay.nights
        ],
    )
