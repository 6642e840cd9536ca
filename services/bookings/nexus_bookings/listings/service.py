"""Keeps the copies of listings: told by events, and by asking once when a listing is not known yet.

`main.py` lists `apply` for every fact of a listing; quotes, nights and bookings read through `find` and `known`.
"""

from uuid import UUID

from httpx import HTTPStatusError
from nexus_contracts.envelope import CloudEvent
from nexus_contracts.listings import ListingFact, ListingSnapshot, ListingStatus
from nexus_kit.errors import NotFound, UpstreamFailed
from nexus_kit.http import ServiceClient
from pydantic import ValidationError
from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from nexus_bookings.listings.models import ListingCopy


async def apply(session: AsyncSession, event: CloudEvent[ListingFact]) -> None:
    """Take over what a listing has become. Events may come in any order."""
    await store(session, event.data.listing)


async def store(session: AsyncSession, snapshot: ListingSnapshot) -> None:
    """Keep the snapshot unless the copy is newer."""
    statement = insert(ListingCopy).values(listing_id=snapshot.id, version=snapshot.version, snapshot=snapshot)
    newer = statement.excluded
    await session.execute(
        statement.on_conflict_do_update(
            index_elements=[ListingCopy.listing_id],
            set_={"version": newer.version, "snapshot": newer.snapshot},
            where=ListingCopy.version < newer.version,
        )
    )


async def known(session: AsyncSession, listing_id: UUID) -> ListingSnapshot:
    """The copy of a listing that has a quote or a booking, so there is one."""
    return (
        await session.execute(select(ListingCopy.snapshot).where(ListingCopy.listing_id == listing_id))
    ).scalar_one()


async def find(session: AsyncSession, listing_id: UUID, listings: ServiceClient) -> ListingSnapshot:
    """The listing as a guest may see it: `NotFound` for one that does not exist and for a draft.

    A listing without a copy is asked for and then stored: `UpstreamUnavailable` when listings does not answer.
    """
    snapshot = await session.scalar(select(ListingCopy.snapshot).where(ListingCopy.listing_id == listing_id))
    if snapshot is None:
        snapshot = await _ask(listings, listing_id)
        await store(session, snapshot)
    if snapshot.status is ListingStatus.DRAFT:
        raise NotFound("There is no such listing.")
    return snapshot


async def _ask(listings: ServiceClient, listing_id: UUID) -> ListingSnapshot:
    answer = await listings.request("GET", f"/internal/listings/{listing_id}")
    if answer.status_code == 404:
        raise NotFound("There is no such listing.")
    try:
        return ListingSnapshot.model_validate_json(answer.raise_for_status().content)
    except (HTTPStatusError, ValidationError) as exc:
        raise UpstreamFailed("listings answered in a way that cannot be used.") from exc
