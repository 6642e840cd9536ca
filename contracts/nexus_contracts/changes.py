"""Facts of the bookings service about what happens to a booking's dates: changes asked for, and nights waited for."""

from datetime import date, datetime
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

from nexus_contracts.bookings import BookingFact
from nexus_contracts.money import Money


class StayTerms(BaseModel):
    """What a change touches."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    check_in: date
    check_out: date
    guests: int
    total: Money


class BookingChangeFact(BookingFact):
    """The shape that all facts of a change share: `before` is what was agreed, `after` what the guest wants instead."""

    change_id: UUID
    before: StayTerms
    after: StayTerms
    to_pay: Money = Field(description="By the guest; 0 if it is not dearer.")
    to_refund: Money = Field(description="To the guest; 0 if it is not cheaper.")


class BookingChangeRequested(
    BookingChangeFact, type="nexus.bookings.booking.change_requested.v1", subject="booking_id"
):
    """The guest asked for other dates or guests; the nights of both are held until the host answers or `expires_at`."""

    expires_at: datetime


class BookingChangeHeld(BookingChangeFact, type="nexus.bookings.booking.change_held.v1", subject="booking_id"):
    """The nights of both are held until the guest has paid the difference, or `expires_at`."""

    expires_at: datetime


class BookingChanged(BookingChangeFact, type="nexus.bookings.booking.changed.v1", subject="booking_id"):
    """The stay is another one, and what it costs less is on its way back; nights that only the former had are free."""


class BookingChangeDeclined(BookingChangeFact, type="nexus.bookings.booking.change_declined.v1", subject="booking_id"):
    """The host said no to the change: the booking stands as it was."""


class BookingChangeExpired(BookingChangeFact, type="nexus.bookings.booking.change_expired.v1", subject="booking_id"):
    """The host did not answer, or nobody paid the difference, in time: the booking stands as it was."""


class WaitingListOffered(BookingFact, type="nexus.bookings.waiting_list.offered.v1", subject="entry_id"):
    """Nights became free: the first in line has them, as this booking, until `expires_at`."""

    entry_id: UUID
    awaits_host: bool = Field(description="The host was asked, and answers by then; otherwise the guest pays by then.")
    expires_at: datetime
