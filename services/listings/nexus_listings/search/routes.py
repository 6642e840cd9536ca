"""The address of the public search."""

from typing import Annotated

from fastapi import APIRouter, Query
from nexus_kit.auth import OptionalUser
from nexus_kit.db import SessionDep
from nexus_kit.errors import ValidationFailed, responses
from nexus_kit.pages import CursorMismatch, CursorsDep, InvalidCursor, PageOf, paginate

from nexus_listings.publicly import public
from nexus_listings.search import queries
from nexus_listings.search.schemas import ListingCard, SearchQuery

router = APIRouter(prefix="/listings", tags=["listings"], route_class=public("search"))


@router.get(
    "", summary="Search published listings", responses=responses(InvalidCursor, CursorMismatch, ValidationFailed)
)
async def search(
    query: Annotated[SearchQuery, Query()], _: OptionalUser, session: SessionDep, cursors: CursorsDep
) -> PageOf[ListingCard]:
    """What passes all filters, a page at a time. Everybody sees the same; a change is seen by every search after it."""
    rows, next_cursor = await paginate(session, queries.search(query), query, cursors)
    return PageOf(items=[ListingCard.model_validate(row) for row in rows], next_cursor=next_cursor)
