"""The address of the public search."""

from typing import Annotated

from fastapi import APIRouter, Query
from nexus_kit.auth import OptionalUser
from nexus_kit.db import ReadingDep
from nexus_kit.errors import ValidationFailed, responses
from nexus_kit.pages import CursorMismatch, CursorsDep, InvalidCursor

from nexus_listings.publicly import public
from nexus_listings.search import service
from nexus_listings.search.schemas import SearchPage, SearchQuery

router = APIRouter(prefix="/listings", tags=["listings"], route_class=public("search"))


@router.get(
    "",
    summary="Search published listings",
    responses=responses(InvalidCursor, CursorMismatch, ValidationFailed),
    response_model_exclude_unset=True,
)
async def search(
    query: Annotated[SearchQuery, Query()], _: OptionalUser, reader: ReadingDep, cursors: CursorsDep
) -> SearchPage:
    """What passes all filters, a page at a time. Everybody sees the same; a change is seen by every search after it.

    With dates, each card has the `stay` and its price. What was not asked for is not in the answer.
    """
    return await service.search(reader, query, cursors)
