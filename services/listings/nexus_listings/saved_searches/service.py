"""What users look for, and telling them of what is new. `routes.py` calls it for them, `timers.py` for the looks.

A look, its event and the instant up to which it saw are one transaction: no listing is announced twice or forgotten.
"""

from datetime import datetime, timedelta
from hmac import compare_digest
from typing import Any
from uuid import UUID

import asyncpg
import structlog
from nexus_contracts.listings import MatchedListing, SavedSearchMatched
from nexus_kit.conditional import Preconditions
from nexus_kit.db import lock
from nexus_kit.errors import Conflict, Forbidden, Gone, NotFound
from nexus_kit.outbox import emit
from pydantic import ValidationError
from sqlalchemy import delete, func, select
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncSession

from nexus_listings.listings.service import refuse_erased
from nexus_listings.saved_searches import queries
from nexus_listings.saved_searches.models import SavedSearch
from nexus_listings.saved_searches.schemas import NewSavedSearch, SavedSearchChanges
from nexus_listings.search.schemas import SearchQuery
from nexus_listings.search.service import news

log = structlog.get_logger(__name__)

MOST = 20
"""Saved searches of one user."""
MOST_IN_A_MAIL = 10
"""Listings that one mail names; of the others it gives the number."""
BETWEEN_LOOKS = timedelta(days=1)
_AS_SENT: dict[str, Any] = {"mode": "json", "exclude_unset": True, "exclude_none": True}


class TooManySavedSearches(Conflict):
    """A user has at most 20 saved searches; delete one first."""


class InvalidUnsubscribeToken(Forbidden):
    """This token does not stop the mails of this saved search."""


class MailsStopped(Gone):
    """Nobody wants mails about this saved search any more."""


async def save(session: AsyncSession, user_id: UUID, new: NewSavedSearch) -> SavedSearch:
    """Keep a search, and look at it a day from now for the first time."""
    await refuse_erased(session, user_id)
    await lock(session, f"saved searches of {user_id}")  # or two at once would both be the last that fits
    saved = await session.scalar(select(func.count()).where(SavedSearch.user_id == user_id))
    if saved is not None and saved >= MOST:
        raise TooManySavedSearches
    search = SavedSearch(user_id=user_id, **{"notify": new.notify, **new.model_dump(**_AS_SENT)})
    await _watch_or_rest(session, search)
    session.add(search)
    await session.flush()
    return search


async def find(session: AsyncSession, search_id: UUID, user_id: UUID, *, to_change: bool = False) -> SavedSearch:
    """The user's own, on request locked. Somebody else's is not found."""
    mine = select(SavedSearch).where(SavedSearch.id == search_id, SavedSearch.user_id == user_id)
    search = await session.scalar(mine.with_for_update() if to_change else mine)
    if search is None:
        raise NotFound
    return search


async def change(
    session: AsyncSession, search_id: UUID, user_id: UUID, fields: SavedSearchChanges, conditions: Preconditions
) -> SavedSearch:
    """Change what was sent, if its owner knows the present version. What was published since the last look is news."""
    search = await find(session, search_id, user_id, to_change=True)
    conditions.must_match(search.version)
    for name, value in fields.model_dump(**_AS_SENT).items():
        setattr(search, name, value)
    if session.is_modified(search):
        search.version += 1
        await _watch_or_rest(session, search)
    return search


async def remove(session: AsyncSession, search_id: UUID, user_id: UUID) -> None:
    """For good."""
    await session.delete(await find(session, search_id, user_id, to_change=True))


async def unsubscribe_token(session: AsyncSession, search_id: UUID) -> str:
    """What the mail that is about to leave carries. Raises `MailsStopped` if it should not leave."""
    search = await session.get(SavedSearch, search_id)
    if search is None or search.notify == "never":
        raise MailsStopped
    return search.unsubscribe_token


async def unsubscribe(session: AsyncSession, search_id: UUID, token: str) -> None:
    """Stop the mails, for whoever holds one of them. Doing so twice, or after the search has gone, changes nothing."""
    search = await session.get(SavedSearch, search_id, with_for_update=True)
    if search is None:
        return
    if not compare_digest(token.encode(), search.unsubscribe_token.encode()):
        raise InvalidUnsubscribeToken
    if search.notify != "never":
        search.notify = "never"
        search.version += 1
        await _watch_or_rest(session, search)


async def forget_all_of(session: AsyncSession, user_id: UUID) -> None:
    """The user has gone, and with them what they looked for."""
    await session.execute(delete(SavedSearch).where(SavedSearch.user_id == user_id))


async def look(session: AsyncSession) -> bool:
    """Look at the search that has waited longest, and announce what is new. False when none is due."""
    found = (await session.execute(queries.due())).one_or_none()
    if found is None:
        return False
    search, all_known_before, now = found
    search_id, search.next_look_at = search.id, now + BETWEEN_LOOKS
    try:
        query = SearchQuery.model_validate(search.filters)
    except ValidationError:  # its dates have passed
        search.next_look_at = None
        return True
    # Not backwards: while a long transaction runs, less is known for certain than was looked at before.
    until = max(search.looked_until, all_known_before - queries.SHOWN_WITHIN)
    try:
        async with session.begin_nested():
            await _announce(session, search, query, until)
    except (DBAPIError, asyncpg.PostgresError):  # it must not keep the others waiting: the next look starts here, too
        log.exception("saved search failed", saved_search_id=str(search_id))
    return True


async def _announce(session: AsyncSession, search: SavedSearch, query: SearchQuery, until: datetime) -> None:
    rows = await news(session, query, *queries.is_news(search, until), limit=MOST_IN_A_MAIL)
    search.looked_until = until
    if not rows:
        return
    search.times_matched += 1
    event = SavedSearchMatched(
        saved_search_id=search.id,
        user_id=search.user_id,
        name=search.name,
        matches=rows[0].matches,
        listings=tuple(MatchedListing.model_validate(row, from_attributes=True) for row in rows),
    )
    await session.flush()
    await emit(session, event, sequence=search.times_matched)


async def _watch_or_rest(session: AsyncSession, search: SavedSearch) -> None:
    """Look at it from now on, or go on looking, or no more: as its owner wants to be told."""
    if search.notify == "never":
        search.next_look_at = None
    elif search.next_look_at is None:
        all_known_before, now = (await session.execute(queries.CLOCKS)).one()
        search.looked_until, search.next_look_at = all_known_before, now + BETWEEN_LOOKS
