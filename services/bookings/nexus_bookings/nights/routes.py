"""The public calendar: GET /availability/{listing_id}."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query
from nexus_kit.db import SessionDep
from nexus_kit.errors import NotFound, UpstreamUnavailable, responses

from nexus_bookings.neighbours import NeighboursDep
from nexus_bookings.nights import queries
from nexus_bookings.nights.schemas import AvailabilityOut, Period

router = APIRouter(prefix="/availability", tags=["availability"])


@router.get("/{listing_id}", summary="See which nights are free", responses=responses(NotFound, UpstreamUnavailable))
async def availability(
    listing_id: UUID, period: Annotated[Period, Query()], session: SessionDep, neighbours: NeighboursDep
) -> AvailabilityOut:
    """Free units and price of each night, at most 366 of them. A listing that is not offered has no free nights."""
    return await queries.calendar(session, listing_id, period, source=neighbours.listings)
