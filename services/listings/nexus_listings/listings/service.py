"""What a host does with a listing, and what follows for the others: every change of a published one is announced.

`routes.py` calls it for hosts, `erasure.py` when one of them has gone, `imports` and `photos` for what they change.
"""

from typing import ClassVar
from uuid import UUID

from nexus_contracts.listings import (
    CancellationPolicy,
    ListingDeleted,
    ListingFact,
    ListingPublished,
    ListingSnapshot,
    ListingStatus,
    ListingUnpublished,
    ListingUpdated,
)
from nexus_kit.conditional import Preconditions
from nexus_kit.db import advisory_key, lock
from nexus_kit.errors import Conflict, FieldError, Gone, NotFound, Problem, Unprocessable
from nexus_kit.outbox import emit
from sqlalchemy import func, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from nexus_listings.listings.models import NEEDED_TO_PUBLISH, ErasedHost, Listing
from nexus_listings.listings.schemas import ListingChanges, ListingDraft
from nexus_listings.publicly import forget_pages
from nexus_listings.terms import CURRENCY


class ListingIncomplete(Unprocessable):
    """A listing that guests can find needs all of these fields."""


class ListingArchived(Conflict):
    """The listing was removed for good and changes no more."""


class AccountErased(Gone):
    """This account was closed."""


class ExternalIdTaken(Conflict):
    """Another listing of this host has this external_id."""


class FieldUnfit(Unprocessable):
    """A field does not go with the others, or with what there is."""

    pointer: ClassVar[str] = ""

    def __init__(self) -> None:
        super().__init__(errors=[FieldError(pointer=self.pointer, code=self.code(), message=self.title())])


class UnknownCategory(FieldUnfit):
    """There is no category with this slug."""

    pointer = "/category"


class NightsInverted(FieldUnfit):
    """min_nights is above max_nights."""

    pointer = "/max_nights"


class MoreIncludedThanFit(FieldUnfit):
    """included_guests is above capacity."""

    pointer = "/included_guests"


class TiersWithoutCustomPolicy(FieldUnfit):
    """Only a custom cancellation policy has tiers."""

    pointer = "/cancellation_tiers"


CONSTRAINTS: dict[str, type[Problem]] = {
    "fk_listings_category_categories": UnknownCategory,
    "uq_listings_host_id_external_id": ExternalIdTaken,
    "ck_listings_nights": NightsInverted,
    "ck_listings_included_guests": MoreIncludedThanFit,
    "ck_listings_tiers_of_custom": TiersWithoutCustomPolicy,
}
"""What a client is told when the database refuses a row."""

_AT_A_TIME = 200
"""Listings of a host who has gone that one transaction archives: they may be a hundred thousand."""


async def draft(session: AsyncSession, host_id: UUID, fields: ListingDraft) -> Listing:
    """Keep a new listing, which nobody but its host can see."""
    await refuse_erased(session, host_id)
    listing = Listing(host_id=host_id, currency=CURRENCY)
    assign(listing, fields)
    session.add(listing)
    await session.flush()
    return listing


async def change(
    session: AsyncSession, listing_id: UUID, host_id: UUID, fields: ListingChanges, conditions: Preconditions
) -> Listing:
    """Change the fields that were sent, if the host knows the present version. Changing nothing is no new version."""
    await refuse_erased(session, host_id)
    listing = await locked(session, listing_id, host_id)
    conditions.must_match(listing.shown_version)
    await amend(session, listing, fields)
    return listing


async def amend(session: AsyncSession, listing: Listing, fields: ListingChanges) -> bool:
    """Change a listing whose row is locked. Says whether that made a new version."""
    assign(listing, fields)
    if not session.is_modified(listing):
        return False
    if listing.status is ListingStatus.ARCHIVED:
        raise ListingArchived
    if listing.published_at is not None:
        require_complete(listing)
    await _announce(session, listing, ListingUpdated)
    return True


async def publish(session: AsyncSession, listing_id: UUID, host_id: UUID) -> Listing:
    """Let guests find and book it. Raises `ListingIncomplete` with everything that is missing."""
    await refuse_erased(session, host_id)
    listing = await locked(session, listing_id, host_id)
    await show(session, listing)
    return listing


async def show(session: AsyncSession, listing: Listing) -> None:
    """Publish a listing whose row is locked."""
    now = await session.scalar(select(func.now()))  # the clock of the looks of saved searches, too
    listing.move(ListingStatus.PUBLISHED)
    require_complete(listing)
    listing.published_at = listing.published_at or now
    await _announce(session, listing, ListingPublished)


async def unpublish(session: AsyncSession, listing_id: UUID, host_id: UUID) -> Listing:
    """Hide it from guests; its bookings stand."""
    listing = await locked(session, listing_id, host_id)
    listing.move(ListingStatus.UNPUBLISHED)
    await _announce(session, listing, ListingUnpublished)
    return listing


async def archive(session: AsyncSession, listing_id: UUID, host_id: UUID) -> None:
    """Remove it for good; the row stays, because bookings refer to it. Doing so twice changes nothing."""
    listing = await locked(session, listing_id, host_id)
    if listing.status is not ListingStatus.ARCHIVED:
        await _archive(session, listing)


async def erase_host(session: AsyncSession, host_id: UUID) -> None:
    """The host has gone, and with them their listings: some now, those of a large host by and by (`archive_erased`).

    A token of theirs may live some time more: `refuse_erased`.
    """
    await lock(session, _host_lock(host_id))
    await session.execute(insert(ErasedHost).values(host_id=host_id).on_conflict_do_nothing())
    await _archive_some(session, host_id)


async def archive_erased(session: AsyncSession) -> bool:
    """Archive some more listings of a host who has gone; says whether there was one who had any left."""
    gone = select(ErasedHost.host_id).where(ErasedHost.emptied_at.is_(None))
    # Any of them: one whose listings cannot be archived does not keep the others waiting.
    host_id = await session.scalar(gone.order_by(func.random()).limit(1).with_for_update(skip_locked=True))
    if host_id is not None:
        await _archive_some(session, host_id)
    return host_id is not None


async def refuse_erased(session: AsyncSession, host_id: UUID) -> None:
    """Raise if this account was erased; if not, it is not erased before this transaction ends.

    Whatever may bring a listing to life begins with it, before it locks a listing. The erasure takes the same lock
    alone: it comes after such a transaction and finds what that wrote, or before it and is found.
    """
    await session.execute(select(func.pg_advisory_xact_lock_shared(advisory_key(_host_lock(host_id)))))
    if await session.get(ErasedHost, host_id) is not None:
        raise AccountErased


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


async def locked(session: AsyncSession, listing_id: UUID, host_id: UUID) -> Listing:
    """The host's listing, which nobody else changes before this transaction ends. Somebody else's is not found."""
    mine = select(Listing).where(Listing.id == listing_id, Listing.host_id == host_id)
    listing = await session.scalar(mine.with_for_update())
    if listing is None:
        raise NotFound
    return listing


def _host_lock(host_id: UUID) -> str:
    return f"host {host_id}"


def assign(listing: Listing, fields: ListingChanges) -> None:
    """Take over the fields that were sent."""
    for name in fields.model_fields_set:
        setattr(listing, name, getattr(fields, name))


def require_complete(fields: Listing | ListingDraft) -> None:
    """Refuse to show guests what lacks something, naming all of it."""
    missing = [name for name in NEEDED_TO_PUBLISH if getattr(fields, name) is None]
    if fields.cancellation_policy is CancellationPolicy.CUSTOM and not fields.cancellation_tiers:
        missing.append("cancellation_tiers")
    if missing:
        errors = [FieldError(pointer=f"/{name}", code="missing", message="needed to publish") for name in missing]
        raise ListingIncomplete(f"Missing: {', '.join(missing)}.", errors=errors)


async def _archive(session: AsyncSession, listing: Listing) -> None:
    listing.move(ListingStatus.ARCHIVED)
    listing.photos = []
    await _announce(session, listing, ListingDeleted)


async def _archive_some(session: AsyncSession, host_id: UUID) -> None:
    theirs = select(Listing).where(Listing.host_id == host_id, Listing.status != ListingStatus.ARCHIVED)
    some = (await session.scalars(theirs.order_by(Listing.id).limit(_AT_A_TIME).with_for_update())).all()
    for listing in some:
        await _archive(session, listing)
    if len(some) < _AT_A_TIME:
        await session.execute(update(ErasedHost).where(ErasedHost.host_id == host_id).values(emptied_at=func.now()))


async def _announce(session: AsyncSession, listing: Listing, fact: type[ListingFact]) -> None:
    """Make it a new version, and tell the others if they ever heard of it."""
    listing.version += 1
    await session.flush()
    if listing.published_at is not None:
        event = fact(listing_id=listing.id, listing=snapshot(listing))
        await emit(session, event, sequence=listing.version)
        forget_pages(session)
