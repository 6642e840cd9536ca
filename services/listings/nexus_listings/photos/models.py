"""The table of photos, and what a listing keeps of those that everybody sees.

`service.py` writes both; the bytes lie in the object store, under keys that follow from the photo's id.
"""

from enum import StrEnum
from uuid import UUID

from nexus_kit.db import CreatedAt
from nexus_kit.errors import IllegalTransition
from pydantic import BaseModel, ConfigDict
from sqlalchemy import CheckConstraint, ForeignKey, LargeBinary, Text, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from nexus_listings.db import Base, stored_by_value

MOST = 20
"""Photos of one listing. The database counts: there are so many positions, and one photo in each."""


class PhotoStatus(StrEnum):
    """Only a photo that is ready is shown."""

    PROCESSING = "processing"
    """Kept; its sizes are being made."""
    READY = "ready"
    FAILED = "failed"
    """Its sizes could not be made; `reason` says why."""


LEGAL_MOVES: dict[PhotoStatus, frozenset[PhotoStatus]] = {
    PhotoStatus.PROCESSING: frozenset({PhotoStatus.READY, PhotoStatus.FAILED}),
    PhotoStatus.READY: frozenset(),
    PhotoStatus.FAILED: frozenset(),
}


class ShownPhoto(BaseModel):
    """What a listing's row says of a photo that is ready, so that nobody who reads the listing looks further."""

    model_config = ConfigDict(frozen=True, from_attributes=True)

    id: UUID
    alt: str
    width: int
    height: int


class Photo(Base):
    """One picture of a listing."""

    __tablename__ = "photos"
    __table_args__ = (
        CheckConstraint("status IN ('processing', 'ready', 'failed')", name="status"),
        CheckConstraint("(status = 'failed') = (reason IS NOT NULL)", name="reason"),
        CheckConstraint(f"position BETWEEN 1 AND {MOST}", name="position"),
        # Looked at when the transaction ends: in between, two photos may trade places.
        UniqueConstraint("listing_id", "position", deferrable=True, initially="DEFERRED"),
        UniqueConstraint("listing_id", "digest"),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True)
    """Random throughout, unlike our other ids: whoever knows it sees the photo, a draft's too."""
    listing_id: Mapped[UUID] = mapped_column(ForeignKey("listings.id"))
    position: Mapped[int]
    """From 1, without gaps; the first is the cover."""
    alt: Mapped[str] = mapped_column(Text)
    """What it shows, for those who do not see it; may be empty."""
    status: Mapped[PhotoStatus] = mapped_column(stored_by_value(PhotoStatus))
    reason: Mapped[str | None] = mapped_column(Text)
    """Why it failed."""
    digest: Mapped[bytes] = mapped_column(LargeBinary)
    """SHA-256 of the upload: the same bytes sent again are the same photo."""
    width: Mapped[int]
    height: Mapped[int]
    """Of the original as it is kept, in pixels."""
    version: Mapped[int] = mapped_column(default=1, server_default=text("1"))
    """Grows with every change by its host: what the next one is based on."""
    created_at: Mapped[CreatedAt]

    @property
    def shown_version(self) -> str:
        """The ETag's: the version, and behind a dot the state, which the worker moves while the host writes."""
        return f"{self.version}.{self.status}"

    def move(self, status: PhotoStatus) -> None:
        """Go to another state, or raise `IllegalTransition`."""
        if status not in LEGAL_MOVES[self.status]:
            raise IllegalTransition(f"A photo that is {self.status} cannot become {status}.")
        self.status = status
