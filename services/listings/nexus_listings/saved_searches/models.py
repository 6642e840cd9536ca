"""The table of saved searches: what a user looks for, and up to when it was looked at for them.

`service.py` writes it. `version` is what its owner changes, the ETag; looking at a search is no change of it.
"""

import secrets
from typing import Any, Literal
from uuid import UUID

from nexus_kit.db import CreatedAt, Timestamp, Uuid7Pk
from sqlalchemy import CheckConstraint, Index, Text, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from nexus_listings.db import Base

Notify = Literal["daily", "never"]
"""How often new matches are mailed, at most."""


class SavedSearch(Base):
    """What one user looks for."""

    __tablename__ = "saved_searches"
    __mapper_args__ = {"eager_defaults": True}
    __table_args__ = (
        CheckConstraint("notify IN ('daily', 'never')", name="notify"),
        CheckConstraint("notify = 'daily' OR next_look_at IS NULL", name="next_look_at"),
    )

    id: Mapped[Uuid7Pk]
    user_id: Mapped[UUID]
    """A user of auth."""
    version: Mapped[int] = mapped_column(server_default=text("1"))
    """Grows with every change of name, filters or notify."""
    name: Mapped[str] = mapped_column(Text)
    filters: Mapped[dict[str, Any]] = mapped_column(JSONB)
    """Parameters of a search, as a `SearchQuery` reads them. Whether they still make sense is seen at each look."""
    notify: Mapped[Notify] = mapped_column(Text)
    unsubscribe_token: Mapped[str] = mapped_column(Text, default=lambda: secrets.token_urlsafe(32))
    """Whoever holds it may stop the mails, and do nothing else. It never changes: old mails must keep working."""
    looked_until: Mapped[CreatedAt]
    """Listings published before this instant are no news to its owner."""
    next_look_at: Mapped[Timestamp | None]
    """Null: nobody wants to know, or its dates have passed."""
    times_matched: Mapped[int] = mapped_column(server_default=text("0"))
    """The sequence of its events."""
    created_at: Mapped[CreatedAt]


Index("ix_saved_searches_user_id", SavedSearch.user_id, SavedSearch.id.desc())
Index(
    "ix_saved_searches_next_look_at",
    SavedSearch.next_look_at,
    postgresql_where=SavedSearch.next_look_at.is_not(None),
)
