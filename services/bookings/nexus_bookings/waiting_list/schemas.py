"""The wire shapes of the waiting list."""

from datetime import date
from typing import Self
from uuid import UUID

from nexus_kit.schemas import Resource, UtcDateTime
from pydantic import Field

from nexus_bookings.quotes.schemas import WantedStay
from nexus_bookings.waiting_list.models import EntryStatus, WaitingEntry


class NewEntry(WantedStay):
    """The stay that the guest would have if it became free."""


class EntryOut(Resource):
    """One's place in line. Once `offered`, the booking holds the nights: pay it before it expires."""

    id: UUID
    status: EntryStatus
    place: int | None = Field(
        description="While `waiting`: 1 is first in line among those who wait for some of these nights.", examples=[1]
    )
    booking_id: UUID | None = Field(description="Once `offered`.")
    listing_id: UUID
    listing_title: str
    check_in: date
    check_out: date
    guests: int
    created_at: UtcDateTime

    @classmethod
    def of(cls, entry: WaitingEntry, place: int) -> Self:
        """The row, with its place if it still waits."""
        own = {name: getattr(entry, name) for name in cls.model_fields if name != "place"}
        return cls(**own, place=place if entry.status is EntryStatus.WAITING else None)
