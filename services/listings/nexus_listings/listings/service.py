"""What a host does with a listing, and what follows for the others: every change of a published one is announced.

`routes.py` calls it for hosts; `main.py` lists `archive_all_of` among the events that this service consumes.
"""

from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from nexus_contracts.auth import UserDeleted
from nexus_contracts.envelope import CloudEvent
from nexus_contracts.listings import (
    ListingDeleted,
    ListingFact,
    ListingPublished,
    ListingSnapshot,
    ListingStatus,
    ListingUnpublished,
    ListingUpdated,
)
from nexus_kit.conditional import Preconditions
from nexus_kit.errors import Conflict, FieldError, NotFound, Problem, Unprocessable
from nexus_kit.outbox import emit
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from nexus_listings.listings.models import Listing
from nexus_listings.listings.schemas import CURRENCY, ListingChanges, ListingDraft
from nexus_listings.publicly import forget_pages


class ListingIncomplete(Unprocessable):
    """A listing that guests can find needs all of these fields."""


class ListingArchived(Conflict):
    """The listing was removed for good and changes no more."""


class UnknownCategory(Unprocessable):
    """There is no category with this slug."""


class NightsInverted(Unprocessable):
    """min_nights is above max_nights."""


CONSTRAINTS: dict[str, type[Problem]] = {
    "fk_listings_category_categories": UnknownCategory,
    "ck_listings_nights": NightsInverted,
}
"""What a client is told when the database refuses a row."""


async def draft(session: AsyncSession, host_id: UUID, fields: ListingDraft) -> Listing:
    """Keep a new listing, which nobody but its host can see."""
    listing = Listing(host_id=host_id, currency=CURRENCY)
    _assign(listing, fields)
    session.add(listing)
    await session.flush()
    return listing


async def change(
    session: AsyncSession, listing_id: UUID, host_id: UUID, fields: ListingChanges, conditions: Preconditions
) -> Listing:
    """Change the fields that were sent, if the host knows the present version. Changing nothing is no new version."""
    listing = await _locked(session, listing_id, host_id)
    conditions.must_match(listing.version)
    _assign(listing, fields)
    if session.is_modified(listing):
        if listing.status is ListingStatus.ARCHIVED:
            raise ListingArchived
        if listing.published_at is not None:
            _require_complete(listing)
        await _announce(session, listing, ListingUpdated)
    return listing


async def publish(session: AsyncSession, listing_id: UUID, host_id: UUID) -> Listing:
    """Let guests find and book it. Raises `ListingIncomplete` with everything that is missing."""
    listing = await _locked(session, listing_id, host_id)
    listing.move(ListingStatus.PUBLISHED)
    _require_complete(listing)
    listing.published_at = listing.published_at or datetime.now(UTC)
    await _announce(session, listing, ListingPublished)
    return listing


async def unpublish(session: AsyncSession, listing_id: UUID, host_id: UUID) -> Listing:
    """Hide it from guests; its bookings stand."""
    listing = await _locked(session, listing_id, host_id)
    listing.move(ListingStatus.UNPUBLISHED)
    await _announce(session, listing, ListingUnpublished)
    return listing


async def archive(session: AsyncSession, listing_id: UUID, host_id: UUID) -> None:
    """Remove it for good; the row stays, because bookings refer to it. Doing so twice changes nothing."""
    listing = await _locked(session, listing_id, host_id)
    if listing.status is not ListingStatus.ARCHIVED:
        await _archive(session, listing)


async def archive_all_of(session: AsyncSession, event: CloudEvent[Any]) -> None:
    """The host has gone, and with them their listings."""
    deleted: UserDeleted = event.data
    theirs = select(Listing).where(Listing.host_id == deleted.user_id, Listing.status != ListingStatus.ARCHIVED)
    for listing in await session.scalars(theirs.order_by(Listing.id).with_for_update()):
        await _archive(session, listing)


async def find_visible(session: AsyncSession, listing_id: UUID, user_id: UUID | None) -> Listing:
    """What everybody may read, or the host's own in any state. Somebody else's draft is not found."""
    listing = await session.get(Listing, listing_id)
    if listing is None or (listing.status is not ListingStatus.PUBLISHED and listing.host_id != user_id):
        raise NotFound
    return listing


async def find_announced(session: AsyncSession, listing_id: UUID) -> Listing:
    """A listing that other services have heard of, in any state."""
    listing = await session.get(Listing, listing_id)
    if listing is None or listing.published_at is None:
        raise NotFound
    return listing


def snapshot(listing: Listing) -> ListingSnapshot:
    """What bookings must know. Only for a listing that was published at some time: others are not complete."""
    return ListingSnapshot.model_validate(listing, from_attributes=True)


async def _locked(session: AsyncSession, listing_id: UUID, host_id: UUID) -> Listing:
    """The host's listing, which nobody else changes before this transaction ends. Somebody else's is not found."""
    mine = select(Listing).where(Listing.id == listing_id, Listing.host_id == host_id)
    listing = await session.scalar(mine.with_for_update())
    if listing is None:
        raise NotFound
    return listing


def _assign(listing: Listing, fields: ListingChanges) -> None:
    for name in fields.model_fields_set:
        setattr(listing, name, getattr(fields, name))


def _require_complete(listing: Listing) -> None:
    if missing := listing.missing():
        errors = [FieldError(pointer=f"/{name}", code="missing", message="needed to publish") for name in missing]
        raise ListingIncomplete(f"Missing: {', '.join(missing)}.", errors=errors)


async def _archive(session: AsyncSession, listing: Listing) -> None:
    listing.move(ListingStatus.ARCHIVED)
    await _announce(session, listing, ListingDeleted)


async def _announce(session: AsyncSession, listing: Listing, fact: type[ListingFact]) -> None:
    """Make it a new version, and tell the others if they ever heard of it."""
    listing.version += 1
    await session.flush()
    if listing.published_at is not None:
        event = fact(listing_id=listing.id, listing=snapshot(listing))
        await emit(session, event, sequence=listing.version)
        forget_pages(session)
