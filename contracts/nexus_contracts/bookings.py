"""Facts of the bookings service: bookings, their nights and their payments."""

from datetime import date, datetime
from enum import StrEnum
from uuid import UUID

from pydantic import Field

from nexus_contracts.envelope import Event
from nexus_contracts.money import Money


class Party(StrEnum):
    """Who moved a booking."""

    GUEST = "guest"
    HOST = "host"
    SYSTEM = "system"


class BookingFact(Event):
    """The shape that all facts of a booking share: enough to tell either party about it without asking again."""

    booking_id: UUID
    listing_id: UUID
    listing_title: str
    guest_id: UUID
    host_id: UUID
    check_in: date = Field(description="First night, a date in `timezone`.")
    check_out: date = Field(description="The day after the last night.")
    timezone: str
    guests: int
    total: Money


class BookingRequested(BookingFact, type="nexus.bookings.booking.requested.v1", subject="booking_id"):
    """The guest asked; the nights are held until the host answers or `expires_at`."""

    expires_at: datetime


class BookingAccepted(BookingFact, type="nexus.bookings.booking.accepted.v1", subject="booking_id"):
    """The host said yes; the nights are held until the guest pays or `expires_at`."""

    expires_at: datetime


class BookingDeclined(BookingFact, type="nexus.bookings.booking.declined.v1", subject="booking_id"):
    """The host said no; the nights are free again."""


class BookingHeld(BookingFact, type="nexus.bookings.booking.held.v1", subject="booking_id"):
    """The nights are held for this guest until `expires_at`; payment is awaited."""

    expires_at: datetime


class BookingConfirmed(BookingFact, type="nexus.bookings.booking.confirmed.v1", subject="booking_id"):
    """The money was verified with the payment provider; the nights are sold."""


class BookingCancelled(BookingFact, type="nexus.bookings.booking.cancelled.v1", subject="booking_id"):
    """A party cancelled; `refund` is on its way back to the guest. The nights are free, unless the host did it."""

    cancelled_by: Party
    refund: Money


class BookingExpired(BookingFact, type="nexus.bookings.booking.expired.v1", subject="booking_id"):
    """Nobody paid, or the host did not answer, in time; the nights are free again."""


class BookingCompleted(BookingFact, type="nexus.bookings.booking.completed.v1", subject="booking_id"):
    """The stay is over: check-out has passed in the listing's zone."""


class NightsChanged(Event, type="nexus.bookings.nights.changed.v1", subject="listing_id"):
    """The last unit of some nights was taken, or a unit of sold-out nights became free."""

    listing_id: UUID
    sold_out: list[date] = Field(description="Nights with no unit left.")
    freed: list[date] = Field(description="Nights that were sold out and have a free unit again.")


class CalendarConflicted(Event, type="nexus.bookings.calendar.conflicted.v1", subject="calendar_id"):
    """A calendar that the listing follows takes nights that are sold here: somebody must call a guest."""

    calendar_id: UUID
    calendar_name: str = Field(description="As its host calls it.")
    listing_id: UUID
    listing_title: str
    host_id: UUID
    nights: list[date] = Field(description="Those that were not known to conflict before.")


class PaymentFact(Event):
    """The shape that all facts of a payment share."""

    payment_id: UUID
    booking_id: UUID
    guest_id: UUID
    amount: Money


class PaymentSucceeded(PaymentFact, type="nexus.bookings.payment.succeeded.v1", subject="payment_id"):
    """The provider confirmed, when asked, that it holds this money for us."""


class PaymentFailed(PaymentFact, type="nexus.bookings.payment.failed.v1", subject="payment_id"):
    """The provider refused or the guest gave up; nothing was charged."""


class PaymentRefunded(PaymentFact, type="nexus.bookings.payment.refunded.v1", subject="payment_id"):
    """The provider took the order to give `amount` back, or took it back without one."""

    listing_title: str | None = Field(default=None, description="Of the booking. Null in what was told before 2026-11.")


class PayoutFact(Event):
    """The shape that all facts of a payout share."""

    payout_id: UUID
    host_id: UUID
    amount: Money


class PayoutPaid(PayoutFact, type="nexus.bookings.payout.paid.v1", subject="payout_id"):
    """The provider says that what a host earned has arrived at their bank."""


class PayoutFailed(PayoutFact, type="nexus.bookings.payout.failed.v1", subject="payout_id"):
    """What a host earned could not be sent, or came back from their bank; they are owed it as before."""

    came_back: bool = Field(default=False, description="It had arrived: `payout.paid` was told before.")
