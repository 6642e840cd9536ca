"""The wire shapes of bookings."""

from datetime import date
from typing import Literal, Self
from uuid import UUID

from nexus_contracts.bookings import Party
from nexus_contracts.money import Money
from nexus_kit.pages import PageQuery
from nexus_kit.schemas import Body, LocalTime, Resource, UtcDateTime
from pydantic import Field

from nexus_bookings.bookings.models import Booking, BookingStatus
from nexus_bookings.cancellation import CancellationTerms
from nexus_bookings.pricing import GuestPrice, Price


class NewBooking(Body):
    """The quote says everything else."""

    quote_id: UUID = Field(description="From POST /quotes: your own, valid, and not booked yet.")


class BookingsQuery(PageQuery):
    """Which of the caller's bookings to list."""

    role: Literal[Party.GUEST, Party.HOST] = Field(default=Party.GUEST, description="As whom the caller takes part.")
    status: BookingStatus | None = None


class BookingOut(Resource):
    """A booking, as either party sees it."""

    id: UUID
    status: BookingStatus
    expires_at: UtcDateTime | None = Field(
        description="While `requested` or `pending_payment`: when the answer or the payment comes too late."
    )
    listing_id: UUID
    listing_title: str = Field(description="As it was when booked.", examples=["Garden house in Bole"])
    host_id: UUID
    guest_id: UUID
    check_in: date
    check_out: date
    timezone: str = Field(description="IANA name; the dates are local dates there.", examples=["Africa/Addis_Ababa"])
    check_in_time: LocalTime = Field(description="Local time at which the stay begins.")
    check_out_time: LocalTime = Field(description="Local time at which it is over.")
    guests: int
    total: Money
    price: Price | GuestPrice = Field(description="As quoted, line by line. What the host gets, only the host sees.")
    cancellation: CancellationTerms
    cancelled_by: Party | None
    refund: Money | None = Field(description="Once `cancelled`: what the guest gets back of what was paid.")
    created_at: UtcDateTime

    @classmethod
    def of(cls, booking: Booking, user_id: UUID) -> Self:
        """As this party sees it."""
        seen = cls.model_validate(booking)
        if booking.party(user_id) is Party.HOST:
            return seen
        return seen.model_copy(update={"price": GuestPrice.model_validate(dict(booking.price))})


class CancellationPreview(Resource):
    """What cancelling now would give back to the guest."""

    refund: Money = Field(description="0 when nothing was paid, or when the terms give nothing back any more.")
    cancellation: CancellationTerms
