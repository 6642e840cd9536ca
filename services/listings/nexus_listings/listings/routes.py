"""The addresses of listings: what hosts do with theirs, and what everybody may read."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Path, Query, Response
from nexus_contracts.listings import ListingSnapshot, ListingStatus
from nexus_kit.auth import CurrentUser, EmailNotVerified, OptionalUser, ServiceCaller, VerifiedUser
from nexus_kit.conditional import Conditional, etag
from nexus_kit.db import SessionDep
from nexus_kit.errors import (
    IllegalTransition,
    NotFound,
    PreconditionFailed,
    PreconditionRequired,
    ValidationFailed,
    responses,
)
from nexus_kit.idempotency import IdempotencyInProgress, IdempotencyKeyReused, OnceIfKeyed
from nexus_kit.pages import CursorMismatch, CursorsDep, InvalidCursor, PageOf, paginate
from nexus_kit.tokens import NotAuthenticated

from nexus_listings.listings import queries, service
from nexus_listings.listings.models import Listing
from nexus_listings.listings.schemas import (
    ListingChanges,
    ListingDraft,
    ListingOut,
    MineQuery,
)
from nexus_listings.publicly import public

router = APIRouter(prefix="/listings", tags=["listings"])
seen = APIRouter(prefix="/listings", tags=["listings"], route_class=public("listings"))
internal = APIRouter(prefix="/internal/listings", tags=["internal"])

ListingId = Annotated[UUID, Path(description="Id of a listing.")]
ONCE = (IdempotencyInProgress, IdempotencyKeyReused)
UNFIT = (
    *(service.UnknownCategory, service.NightsInverted, service.MoreIncludedThanFit, service.TiersWithoutCustomPolicy),
    *(service.ExternalIdTaken, service.AccountErased, ValidationFailed),
)


@router.post(
    "",
    status_code=201,
    summary="Draft a listing",
    responses=responses(NotAuthenticated, *UNFIT, *ONCE),
)
async def draft(body: ListingDraft, host: CurrentUser, session: SessionDep, once: OnceIfKeyed) -> ListingOut:
    """Only its host sees a draft. `publish` says what it lacks."""
    listing = await service.draft(session, host.user_id, body)
    headers = {"Location": f"/api/v1/listings/{listing.id}", **_for_its_host(listing)}
    return once.keep(201, ListingOut.model_validate(listing), headers=headers)


@router.get("/mine", summary="My listings", responses=responses(NotAuthenticated, InvalidCursor, CursorMismatch))
async def mine(
    query: Annotated[MineQuery, Query()], host: CurrentUser, session: SessionDep, cursors: CursorsDep
) -> PageOf[ListingOut]:
    """The caller's own in all states, newest first."""
    statement = queries.owned_by(host.user_id, query.status)
    rows, next_cursor = await paginate(session, statement, query, cursors, owner=host.user_id)
    return PageOf(items=[ListingOut.model_validate(row[0]) for row in rows], next_cursor=next_cursor)


@seen.get("/{listing_id}", summary="Read a listing", responses=responses(NotFound))
async def read(
    listing_id: ListingId, user: OptionalUser, session: SessionDep, conditions: Conditional, response: Response
) -> ListingOut:
    """A published listing, or in any state the caller's own."""
    listing = await service.find_visible(session, listing_id, user.user_id if user else None)
    if listing.status is not ListingStatus.PUBLISHED:
        conditions.not_modified(response, listing.shown_version)
        return _to_its_host(listing, response)
    response.headers["ETag"] = etag(listing.shown_version)
    return ListingOut.model_validate(listing)


@router.patch(
    "/{listing_id}",
    summary="Change a listing",
    responses=responses(
        *(NotAuthenticated, NotFound, PreconditionFailed, PreconditionRequired, service.ListingArchived),
        *(service.ListingIncomplete, *UNFIT),
    ),
)
async def change(
    listing_id: ListingId,
    body: ListingChanges,
    *,
    host: CurrentUser,
    session: SessionDep,
    conditions: Conditional,
    response: Response,
) -> ListingOut:
    """Fields left out stay as they are. Send the ETag in `If-Match`, so that nobody's change is lost."""
    listing = await service.change(session, listing_id, host.user_id, body, conditions)
    return _to_its_host(listing, response)


@router.delete(
    "/{listing_id}", status_code=204, summary="Remove a listing", responses=responses(NotAuthenticated, NotFound)
)
async def archive(listing_id: ListingId, host: CurrentUser, session: SessionDep) -> None:
    """For good; its bookings stand. Removing it again changes nothing."""
    await service.archive(session, listing_id, host.user_id)


@router.post(
    "/{listing_id}/publish",
    summary="Let guests find a listing",
    responses=responses(
        *(NotAuthenticated, EmailNotVerified, NotFound, IllegalTransition),
        *(service.ListingIncomplete, service.AccountErased, *ONCE),
    ),
)
async def publish(listing_id: ListingId, host: VerifiedUser, session: SessionDep, once: OnceIfKeyed) -> ListingOut:
    """From draft or unpublished. All that is missing is said at once."""
    listing = await service.publish(session, listing_id, host.user_id)
    return once.keep(200, ListingOut.model_validate(listing), headers=_for_its_host(listing))


@router.post(
    "/{listing_id}/unpublish",
    summary="Hide a listing",
    responses=responses(NotAuthenticated, NotFound, IllegalTransition, *ONCE),
)
async def unpublish(listing_id: ListingId, host: CurrentUser, session: SessionDep, once: OnceIfKeyed) -> ListingOut:
    """Guests can no longer find or book it; its bookings stand."""
    listing = await service.unpublish(session, listing_id, host.user_id)
    return once.keep(200, ListingOut.model_validate(listing), headers=_for_its_host(listing))


@internal.get("/{listing_id}", summary="What bookings must know of a listing", responses=responses(NotFound))
async def read_snapshot(listing_id: ListingId, _: ServiceCaller, session: SessionDep) -> ListingSnapshot:
    """Of a listing that is or was published; the same as its events carry."""
    return service.snapshot(await service.find_announced(session, listing_id))


def _to_its_host(listing: Listing, response: Response) -> ListingOut:
    response.headers.update(_for_its_host(listing))
    return ListingOut.model_validate(listing)


def _for_its_host(listing: Listing) -> dict[str, str]:
    """The ETag that the next PATCH needs, for nobody's cache."""
    return {"ETag": etag(listing.shown_version), "Cache-Control": "private, no-cache"}
