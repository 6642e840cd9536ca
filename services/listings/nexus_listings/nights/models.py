"""What bookings told us of full nights: a search with dates leaves out what is sold out on one of its nights."""

from datetime import date
from uuid import UUID

from sqlalchemy.orm import Mapped, mapped_column

from nexus_listings.db import Base


class SoldOutNight(Base):
    """The last word on one night of one listing. A night nobody spoke of is free."""

    __tablename__ = "sold_out_nights"

    listing_id: Mapped[UUID] = mapped_column(primary_key=True)
    """No foreign key: a fact that arrives first is kept, not refused."""
    night: Mapped[date] = mapped_column(primary_key=True)
    """A date in the listing's zone."""
    sold_out: Mapped[bool]
    """True: every unit is taken. A freed night stays as False, to outrank an older word that arrives late."""
    sequence: Mapped[int]
    """Of the event that said so: a lower one comes too late."""
