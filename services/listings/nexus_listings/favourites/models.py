"""The table of favourites: which listings a user keeps. `service.py` writes and reads it."""

from uuid import UUID

from nexus_kit.db import CreatedAt
from sqlalchemy import ForeignKey, Index
from sqlalchemy.orm import Mapped, mapped_column

from nexus_listings.db import Base


class Favourite(Base):
    """One listing that one user keeps."""

    __tablename__ = "favourites"

    user_id: Mapped[UUID] = mapped_column(primary_key=True)
    """A user of auth."""
    listing_id: Mapped[UUID] = mapped_column(ForeignKey("listings.id"), primary_key=True)
    kept_at: Mapped[CreatedAt]
    """When it was kept first: keeping it again does not move it."""


Index("ix_favourites_user_id", Favourite.user_id, Favourite.kept_at.desc(), Favourite.listing_id.desc())
