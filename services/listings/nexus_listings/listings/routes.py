"""The addresses of listings: what hosts do with theirs, and what everybody may find and read."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Path, Query, Response
from nexus_contracts.listings import ListingSnapshot
from nexus_kit.auth import CurrentUser, EmailNotVerified, OptionalUser, ServiceCaller, VerifiedUser
from nexus_kit.conditional import Conditional, etag
from nexus_kit.db import SessionDep, UnitOfWork
from nexus_kit.errors import (
    IllegalTransition,
    NotFound,
    PreconditionFailed,
    PreconditionRequired,
    ValidationFailed,
    responses,
)
from nexus_kit.pages import CursorMismatch, InvalidCursor, PageOf
from nexus_kit.tokens import NotAuthenticated

from nexus_listings.listings import queries, service
from nexus_listings.listings.schemas import ListingCard, ListingChanges, ListingDraft, ListingOut, MineQuery, SearchQuery
from nexus_listings.publicly import PublicDep

router = APIRouter(prefix="/listings", tags=["listings"])
internal = APIRouter(prefix="/internal/listings", tags=["internal"])

ListingId = Annotated[UUID, Path(description="Id of a listing.")]


@router.get(
    "",
    summary="Search published listings",
    response_model=PageOf[ListingCard],
    responses=responses(InvalidCursor, CursorMismatch, ValidationFailed),
)
async def search(query: Annotated[SearchQuery, Query()], public: PublicDep, user: OptionalUser, work: UnitOfWork) -> Response:
    """Everybody sees the same pages; a token is checked if it is sent. A change is seen by every search that starts after it."""

