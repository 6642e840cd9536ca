"""What bookings knows of listings: a copy of each one's snapshot, at the newest version it was told of."""

from uuid import UUID

from nexus_contracts.listings import ListingSnapshot
from nexus_kit.db import Document
from sqlalchemy.orm import Mapped, mapped_column

from nexus_bookings.db import Base


class ListingCopy(Base):
    """listings owns the truth. This copy lags behind by as long as an event travels."""

    __tablename__ = "listing_copies"

    listing_id: Mapped[UUID] = mapped_column(primary_key=True)
    version: Mapped[int]
    """The snapshot's own version: a lower one that arrives later is ignored."""
    snapshot: Mapped[ListingSnapshot] = mapped_column(Document(ListingSnapshot))
