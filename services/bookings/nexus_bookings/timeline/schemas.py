"""The wire shapes of a booking's timeline."""

from nexus_contracts.bookings import Party
from nexus_kit.schemas import Resource, UtcDateTime
from pydantic import Field

from nexus_bookings.bookings.models import BookingStatus


class MoveOut(Resource):
    """One move of a booking."""

    what: str = Field(
        description="`requested`, `held`, `accepted`, `declined`, `confirmed`, `cancelled`, `expired`, `completed`; "
        "`change_requested`, `change_held`, `change_declined`, `change_expired`, `changed`.",
        examples=["confirmed"],
    )
    status: BookingStatus = Field(description="Where the booking stood after it.")
    by: Party
    why: str | None = Field(description="Where it needs an explanation.", examples=["Nobody paid in time."])
    at: UtcDateTime | None = Field(description="Null: before such moves were kept.")


class TimelineOut(Resource):
    """Everything that happened to one booking, oldest first."""

    items: list[MoveOut]
    next_cursor: None = None
