"""The addresses of a user's favourites: theirs alone."""

from typing import Annotated

from fastapi import APIRouter, Query
from nexus_kit.auth import CurrentUser
from nexus_kit.db import SessionDep
from nexus_kit.errors import Busy, NotFound, ValidationFailed, responses
from nexus_kit.pages import CursorMismatch, CursorsDep, InvalidCursor, PageOf, PageQuery, paginate
from nexus_kit.tokens import NotAuthenticated

from nexus_listings.favourites import service
from nexus_listings.favourites.schemas import FavouriteOut
from nexus_listings.listings.routes import ListingId
from nexus_listings.listings.service import AccountErased

router = APIRouter(prefix="/favourites", tags=["favourites"])


@router.get(
    "", summary="My favourites", responses=responses(NotAuthenticated, InvalidCursor, CursorMismatch, ValidationFailed)
)
async def mine(
    query: Annotated[PageQuery, Query()], user: CurrentUser, session: SessionDep, cursors: CursorsDep
) -> PageOf[FavouriteOut]:
    """The newest first. One whose listing is not published now stays in the list, without its card."""
    rows, next_cursor = await paginate(session, service.kept_by(user.user_id), query, cursors, owner=user.user_id)
    return PageOf(items=await service.with_cards(session, (row[0] for row in rows)), next_cursor=next_cursor)


@router.put(
    "/{listing_id}",
    status_code=204,
    summary="Keep a listing",
    responses=responses(NotAuthenticated, NotFound, service.TooManyFavourites, AccountErased, ValidationFailed, Busy),
)
async def keep(listing_id: ListingId, user: CurrentUser, session: SessionDep) -> None:
    """Any that the caller can read. Keeping it again changes nothing, not even its place in the list."""
    await service.keep(session, user.user_id, listing_id)


@router.delete(
    "/{listing_id}",
    status_code=204,
    summary="Keep a listing no longer",
    responses=responses(NotAuthenticated, ValidationFailed),
)
async def drop(listing_id: ListingId, user: CurrentUser, session: SessionDep) -> None:
    """Also one that is not published any more. Doing so twice changes nothing."""
    await service.drop(session, user.user_id, listing_id)
