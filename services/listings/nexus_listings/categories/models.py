"""The tree of kinds of places. The first migration plants it, admins keep it; listings refer to it by slug."""

from sqlalchemy import CheckConstraint, ForeignKey, String, text
from sqlalchemy.orm import Mapped, mapped_column

from nexus_listings.db import Base


class Category(Base):
    """One kind of place. Its slug is its identity: it is short, stable, and what clients filter by."""

    __tablename__ = "categories"
    __table_args__ = (
        CheckConstraint("slug ~ '^[a-z0-9]+(-[a-z0-9]+)*$'", name="slug"),
        CheckConstraint("parent <> slug", name="parent"),
        CheckConstraint("position >= 0", name="position"),
    )

    slug: Mapped[str] = mapped_column(String(50), primary_key=True)
    parent: Mapped[str | None] = mapped_column(ForeignKey("categories.slug"), index=True)
    """The wider kind, or none at the top."""
    name: Mapped[str] = mapped_column(String(80))
    """English, singular: how a client titles it."""
    position: Mapped[int]
    """Order among its siblings; equals stand by slug."""
    version: Mapped[int] = mapped_column(default=1, server_default=text("1"))
    """Grows with every change: the ETag."""
