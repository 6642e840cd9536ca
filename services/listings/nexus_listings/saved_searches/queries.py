"""What is due, what is new, and up to when all is known: the statements behind the looks of `service.py`."""

from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import ColumnElement, DateTime, Select, column, func, select, table

from nexus_listings.listings.models import Listing
from nexus_listings.saved_searches.models import SavedSearch

SHOWN_WITHIN = timedelta(seconds=1)
"""A transaction stands in `pg_stat_activity` a moment after the instant at which it began: at most so long."""

_ACTIVITY = table("pg_stat_activity", column("datname"), column("xact_start", DateTime(timezone=True)))

NOW: ColumnElement[datetime] = func.now()

ALL_KNOWN_BEFORE: ColumnElement[datetime] = (
    select(func.coalesce(func.min(_ACTIVITY.c.xact_start), NOW))
    .where(_ACTIVITY.c.datname == func.current_database())
    .scalar_subquery()
)
"""The begin of the oldest transaction that still runs in this database, this one included.

A listing's `published_at` is set within a transaction and seen only once that has committed. Whatever commits later
than now began at this instant or after it: what was published before is in sight of the next statement, all of it.
"""

CLOCKS = select(ALL_KNOWN_BEFORE, NOW)


def saved_by(user_id: UUID) -> Select[SavedSearch]:
    """A user's saved searches, the newest first (ids are made in the order of time)."""
    return select(SavedSearch).where(SavedSearch.user_id == user_id).order_by(SavedSearch.id.desc())


def due() -> Select[SavedSearch, datetime, datetime]:
    """The search that has waited longest for its look, locked, unless another process looks at it; and both clocks."""
    waiting = select(SavedSearch, ALL_KNOWN_BEFORE, NOW).where(SavedSearch.next_look_at <= NOW)
    return waiting.order_by(SavedSearch.next_look_at).limit(1).with_for_update(of=SavedSearch, skip_locked=True)


def is_news(search: SavedSearch, until: datetime) -> tuple[ColumnElement[bool], ...]:
    """The listings first published since the last look and before `until`, but for those of the search's owner."""
    published = Listing.published_at
    return published >= search.looked_until, published < until, Listing.host_id != search.user_id
