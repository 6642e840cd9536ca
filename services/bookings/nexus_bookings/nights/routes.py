"""The public calendar: GET /availability/{listing_id}."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query
from nexus_kit.db import UnitOfWork
from nexus_kit.errors import NotFound, UpstreamUnavailable, responses

from nexus_bookings.listings.service import with_copy
from nexus_bookings.neighbours import NeighboursDep
from nexus_bookings.nights import queries
from nexus_bookings.nights.schemas import AvailabilityOut, Period

router = APIRouter(prefix="/availability", tags=["availability"])


@router.get("/{listing_id}", summary="See which nights are free", responses=responses(NotFound, UpstreamUnavailable))
async def availability(
    listing_id: UUID, period: Annotated[Period, Query()], work: UnitOfWork, neighbours: NeighboursDep
) -> AvailabilityOut:
    """Free units and price of each night, at most 366 of them. A listing that is not offered has no free nights."""
    return await with_copy(
        work, listing_id, neighbours.listings, lambda session: queries.calendar(session, listing_id, period)
    )
