"""The wire shapes of changes."""

from datetime import date
from typing import Self
from uuid import UUID

from nexus_contracts.money import Money
from nexus_kit.schemas import Body, Resource, UtcDateTime
from pydantic import Field

from nexus_bookings.changes.models import BookingChange, ChangeStatus
from nexus_bookings.pricing import Difference


class NewChange(Body):
    """The quote says everything else."""

    quote_id: UUID = Field(description="From POST /quotes with this booking's `booking_id`: your own, and still valid.")


class ChangeOut(Resource):
    """What the booking becomes when the change is `applied`; until then it stands as it is."""

    id: UUID
    booking_id: UUID
    status: ChangeStatus
    expires_at: UtcDateTime | None = Field(
        description="While `requested` or `pending_payment`: when the answer or the payment comes too late."
    )
    check_in: date
    check_out: date
    guests: int
    total: Money = Field(description="What the whole booking costs then.")
    difference: Difference
    created_at: UtcDateTime

    @classmethod
    def of(cls, change: BookingChange) -> Self:
        """The row, with what its quote promises."""
        quote = change.quote
        return cls(
            id=change.id,
            booking_id=change.booking_id,
            status=change.status,
            expires_at=change.expires_at,
            check_in=quote.check_in,
            check_out=quote.check_out,
            guests=quote.guests,
            total=quote.price.total,
            difference=change.difference,
            created_at=change.created_at,
        )


class ChangesOut(Resource):
    """All changes of one booking, newest first."""

    items: list[ChangeOut]
    next_cursor: None = None
