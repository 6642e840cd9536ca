"""The calendar: what everybody may book, and the nights that its host closes and opens."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Query
from nexus_contracts.listings import ListingSnapshot
from nexus_kit.auth import CurrentUser
from nexus_kit.db import SessionDep, UnitOfWork
from nexus_kit.errors import Busy, NotFound, UpstreamUnavailable, responses

from nexus_bookings.listings.service import own, with_copy
from nexus_bookings.neighbours import NeighboursDep
from nexus_bookings.nights import queries, service
from nexus_bookings.nights.schemas import AvailabilityOut, BlocksOut, NewBlocks, Period
from nexus_bookings.nights.service import BookingWindow, NightsOver

router = APIRouter(prefix="/availability", tags=["availability"])


async def _hosted(listing_id: UUID, host: CurrentUser, work: UnitOfWork, neighbours: NeighboursDep) -> ListingSnapshot:
    return await with_copy(
        work, listing_id, neighbours.listings, lambda session: own(session, listing_id, host.user_id)
    )


HostedListing = Annotated[ListingSnapshot, Depends(_hosted)]
"""The listing of the path, if the caller is its host; 404 for anybody else."""


@router.get("/{listing_id}", summary="See which nights are free", responses=responses(NotFound, UpstreamUnavailable))
async def availability(
    listing_id: UUID, period: Annotated[Period, Query()], work: UnitOfWork, neighbours: NeighboursDep
) -> AvailabilityOut:
    """Free units, price and rules of each night, at most 366 of them. A listing that is not offered has none free."""
    return await with_copy(
        work, listing_id, neighbours.listings, lambda session: queries.calendar(session, listing_id, period)
    )


@router.get(
    "/{listing_id}/blocks", summary="See what is booked and closed", responses=responses(NotFound, UpstreamUnavailable)
)
async def blocks(listing: HostedListing, period: Annotated[Period, Query()], session: SessionDep) -> BlocksOut:
    """Your own listing, night by night, at most 366 of them."""
    return await queries.blocks(session, listing, period)


@router.put(
    "/{listing_id}/blocks",
    summary="Close nights",
    responses=responses(NotFound, BookingWindow, NightsOver, Busy, UpstreamUnavailable),
)
async def close(listing: HostedListing, new: NewBlocks, session: SessionDep) -> BlocksOut:
    """Of each night, so many units are closed from now on: no more and no fewer, however many were closed before.

    Booked units stay booked: of a night that is partly booked at most the rest is closed. Saying it again changes
    nothing. Nights that are over are left as they are.
    """
    await service.close(session, listing, new.first, new.end, new.units)
    return await queries.blocks(session, listing, new)


@router.delete(
    "/{listing_id}/blocks",
    status_code=204,
    summary="Open nights again",
    responses=responses(NotFound, BookingWindow, NightsOver, Busy, UpstreamUnavailable),
)
async def reopen(listing: HostedListing, period: Annotated[Period, Query()], session: SessionDep) -> None:
    """What you closed, and what stayed closed when you cancelled a booking. Other calendars' nights stay closed."""
    await service.close(session, listing, period.first, period.end, 0)
