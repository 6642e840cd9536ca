"""The addresses of a user's saved searches: theirs alone, but for the one that stops the mails.

`unsubscribing` is what a mail's `List-Unsubscribe` names (RFC 8058); `internal` is what the worker asks.
"""

from typing import Annotated
from urllib.parse import urlencode
from uuid import UUID

from fastapi import APIRouter, Path, Query, Response
from fastapi.responses import RedirectResponse
from nexus_kit.auth import CurrentUser, EmailNotVerified, ServiceCaller, VerifiedUser
from nexus_kit.conditional import Conditional, etag
from nexus_kit.db import SessionDep
from nexus_kit.errors import (
    Busy,
    NotFound,
    PreconditionFailed,
    PreconditionRequired,
    ValidationFailed,
    responses,
)
from nexus_kit.idempotency import IdempotencyInProgress, IdempotencyKeyReused, OnceIfKeyed
from nexus_kit.pages import CursorMismatch, CursorsDep, InvalidCursor, PageOf, PageQuery, paginate
from nexus_kit.tokens import NotAuthenticated

from nexus_listings.listings.service import AccountErased
from nexus_listings.saved_searches import queries, service
from nexus_listings.saved_searches.models import SavedSearch
from nexus_listings.saved_searches.schemas import NewSavedSearch, SavedSearchChanges, SavedSearchOut, UnsubscribeToken

router = APIRouter(prefix="/saved-searches", tags=["saved searches"])
unsubscribing = APIRouter(prefix="/saved-searches/{saved_search_id}/unsubscribe", tags=["saved searches"])
internal = APIRouter(prefix="/internal/saved-searches", tags=["internal"])

SavedSearchId = Annotated[UUID, Path(description="Id of a saved search.")]
Token = Annotated[str, Query(min_length=1, max_length=100, description="From the mail.")]


@router.post(
    "",
    status_code=201,
    summary="Save a search",
    responses=responses(
        *(NotAuthenticated, EmailNotVerified, service.TooManySavedSearches, AccountErased, ValidationFailed, Busy),
        *(IdempotencyInProgress, IdempotencyKeyReused),
    ),
)
async def save(body: NewSavedSearch, user: VerifiedUser, session: SessionDep, once: OnceIfKeyed) -> SavedSearchOut:
    """What is published from now on and passes the filters is mailed, at most once a day."""
    search = await service.save(session, user.user_id, body)
    headers = {"Location": f"/api/v1/saved-searches/{search.id}", "ETag": etag(search.version)}
    return once.keep(201, SavedSearchOut.model_validate(search), headers=headers)


@router.get(
    "",
    summary="My saved searches",
    responses=responses(NotAuthenticated, InvalidCursor, CursorMismatch, ValidationFailed),
)
async def mine(
    query: Annotated[PageQuery, Query()], user: CurrentUser, session: SessionDep, cursors: CursorsDep
) -> PageOf[SavedSearchOut]:
    """The newest first."""
    rows, next_cursor = await paginate(session, queries.saved_by(user.user_id), query, cursors, owner=user.user_id)
    return PageOf(items=[SavedSearchOut.model_validate(row[0]) for row in rows], next_cursor=next_cursor)


@router.get("/{saved_search_id}", summary="Read a saved search", responses=responses(NotAuthenticated, NotFound))
async def read(
    saved_search_id: SavedSearchId,
    user: CurrentUser,
    session: SessionDep,
    conditions: Conditional,
    response: Response,
) -> SavedSearchOut:
    """The caller's own."""
    search = await service.find(session, saved_search_id, user.user_id)
    conditions.not_modified(response, search.version)
    return _with_etag(search, response)


@router.patch(
    "/{saved_search_id}",
    summary="Change a saved search",
    responses=responses(
        *(NotAuthenticated, EmailNotVerified, NotFound, PreconditionFailed, PreconditionRequired, ValidationFailed)
    ),
)
async def change(
    saved_search_id: SavedSearchId,
    body: SavedSearchChanges,
    *,
    user: VerifiedUser,
    session: SessionDep,
    conditions: Conditional,
    response: Response,
) -> SavedSearchOut:
    """Send the ETag in `If-Match`. Filters are replaced as a whole; `"notify": "never"` stops the mails."""
    return _with_etag(await service.change(session, saved_search_id, user.user_id, body, conditions), response)


@router.delete(
    "/{saved_search_id}",
    status_code=204,
    summary="Delete a saved search",
    responses=responses(NotAuthenticated, NotFound),
)
async def remove(saved_search_id: SavedSearchId, user: CurrentUser, session: SessionDep) -> None:
    """For good, and with it its mails."""
    await service.remove(session, saved_search_id, user.user_id)


@unsubscribing.get(
    "",
    status_code=303,
    response_class=RedirectResponse,
    summary="Ask before stopping the mails",
    responses=responses(ValidationFailed),
)
async def ask(saved_search_id: SavedSearchId, token: Token) -> str:
    """Changes nothing, since programs open the links of a mail, too: leads to a page whose button stops the mails."""
    return f"/#unsubscribe?{urlencode({'saved_search': saved_search_id, 'token': token})}"


@unsubscribing.post(
    "",
    status_code=204,
    summary="Stop the mails",
    responses=responses(service.InvalidUnsubscribeToken, ValidationFailed),
    openapi_extra={"requestBody": {"content": {"application/x-www-form-urlencoded": {"schema": {"type": "object"}}}}},
)
async def unsubscribe(saved_search_id: SavedSearchId, token: Token, session: SessionDep) -> None:
    """One click (RFC 8058): mail programs send `List-Unsubscribe=One-Click`, without a login. Any body will do.

    Doing so twice, or when the saved search has been deleted, changes nothing and answers the same.
    """
    await service.unsubscribe(session, saved_search_id, token)


@internal.post(
    "/{saved_search_id}/unsubscribe-token",
    summary="What a mail about new matches carries",
    responses=responses(service.MailsStopped),
)
async def unsubscribe_token(saved_search_id: SavedSearchId, _: ServiceCaller, session: SessionDep) -> UnsubscribeToken:
    """Asked when the mail is about to leave; 410 if nobody wants it any more."""
    return UnsubscribeToken(token=await service.unsubscribe_token(session, saved_search_id))


def _with_etag(search: SavedSearch, response: Response) -> SavedSearchOut:
    """With the ETag that the next PATCH needs."""
    response.headers["ETag"] = etag(search.version)
    return SavedSearchOut.model_validate(search)
