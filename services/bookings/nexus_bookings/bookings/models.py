"""A booking, its states, and the moves that are legal between them. `service.py` makes the moves.

              ┌────────────┐ accept  ┌─────────────────┐ confirm ┌───────────┐ complete ┌───────────┐
    request ─▶│ requested  ├────────▶│ pending_payment ├────────▶│ confirmed ├─────────▶│ completed │
              └─┬──────────┘  book ─▶└─┬───────────────┘         └─┬─────────┘          └───────────┘
                ├─▶ declined           ├─▶ expired ─ ─ late money ─▶│
                ├─▶ expired            └─▶ cancelled                └─▶ cancelled
                └─▶ cancelled

The first three hold their nights; nothing else does.
"""

from datetime import date, datetime, time
from enum import StrEnum
from typing import Any
from uuid import UUID

from nexus_contracts.bookings import Party
from nexus_contracts.money import Money
from nexus_kit.db import BigInt, CreatedAt, Document, Timestamp, Uuid7Pk
from nexus_kit.errors import IllegalTransition
from sqlalchemy import CheckConstraint, ForeignKey, Index, String, UniqueConstraint, func, text
from sqlalchemy.orm import Mapped, column_property, mapped_column

from nexus_bookings.cancellation import CancellationTerms
from nexus_bookings.db import Base, one_of
from nexus_bookings.pricing import Price
from nexus_bookings.quotes.models import Quote
from nexus_bookings.stays import Stay


class BookingStatus(StrEnum):
    """Where a booking stands."""

    REQUESTED = "requested"
    """The host is asked; the nights are held."""
    PENDING_PAYMENT = "pending_payment"
    """The nights are held for whoever pays in time."""
    CONFIRMED = "confirmed"
    """Paid; the nights are sold."""
    COMPLETED = "completed"
    """The stay is over."""
    DECLINED = "declined"
    """The host said no."""
    EXPIRED = "expired"
    """The host did not answer, or the guest did not pay, in time."""
    CANCELLED = "cancelled"
    """The guest or the host called it off."""


HOLDING = (BookingStatus.REQUESTED, BookingStatus.PENDING_PAYMENT, BookingStatus.CONFIRMED)
"""States that hold their nights."""
WAITING = (BookingStatus.REQUESTED, BookingStatus.PENDING_PAYMENT)
"""States that end by themselves when `expires_at` has passed."""

LEGAL_MOVES: dict[BookingStatus, frozenset[BookingStatus]] = {
    BookingStatus.REQUESTED: frozenset(
        {BookingStatus.PENDING_PAYMENT, BookingStatus.DECLINED, BookingStatus.EXPIRED, BookingStatus.CANCELLED}
    ),
    BookingStatus.PENDING_PAYMENT: frozenset({BookingStatus.CONFIRMED, BookingStatus.EXPIRED, BookingStatus.CANCELLED}),
    BookingStatus.CONFIRMED: frozenset({BookingStatus.COMPLETED, BookingStatus.CANCELLED}),
    BookingStatus.EXPIRED: frozenset({BookingStatus.CONFIRMED}),  # money came late, and the nights were still free
    BookingStatus.COMPLETED: frozenset(),
    BookingStatus.DECLINED: frozenset(),
    BookingStatus.CANCELLED: frozenset(),
}


class Booking(Base):
    """One guest, one listing, one stay, as the quote promised it: later changes of the listing do not reach it."""

    __tablename__ = "bookings"
    __table_args__ = (
        UniqueConstraint("quote_id"),
        CheckConstraint("check_out > check_in", name="dates"),
        CheckConstraint("guest_id <> host_id", name="parties"),
        CheckConstraint("total_amount >= 0 AND refund_amount BETWEEN 0 AND total_amount", name="amounts"),
        CheckConstraint("(status IN ('requested', 'pending_payment')) = (expires_at IS NOT NULL)", name="expires_at"),
        CheckConstraint(
            "num_nonnulls(cancelled_by, refund_amount) = CASE status WHEN 'cancelled' THEN 2 ELSE 0 END",
            name="cancelled",
        ),
        Index("ix_bookings_guest_id", "guest_id", "id"),
        Index("ix_bookings_host_id", "host_id", "id"),
        Index("ix_bookings_expires_at", "expires_at", postgresql_where=text("expires_at IS NOT NULL")),
        Index("ix_bookings_ends_at", "ends_at", postgresql_where=text("status = 'confirmed'")),
    )

    id: Mapped[Uuid7Pk]
    version: Mapped[int] = mapped_column(default=1)
    """Grows with every move: the ETag, and the sequence of the booking's events."""
    status: Mapped[BookingStatus] = mapped_column(one_of(BookingStatus, "status"))
    quote_id: Mapped[UUID] = mapped_column(ForeignKey("quotes.id"))
    """What was booked first: a quote is booked once. A change has its own quote."""
    listing_id: Mapped[UUID]
    listing_title: Mapped[str]
    host_id: Mapped[UUID]
    guest_id: Mapped[UUID]
    check_in: Mapped[date]
    check_out: Mapped[date]
    timezone: Mapped[str]
    """IANA name: check-in and check-out are dates there."""
    check_in_time: Mapped[time]
    check_out_time: Mapped[time]
    ends_at: Mapped[Timestamp]
    """The instant of check-out."""
    guests: Mapped[int]
    total_amount: Mapped[BigInt]
    """Minor units of `currency`: what the guest pays."""
    currency: Mapped[str] = mapped_column(String(3))
    price: Mapped[Price] = mapped_column(Document(Price))
    """The quote's, line by line: the total, and how it is divided."""
    cancellation: Mapped[CancellationTerms] = mapped_column(Document(CancellationTerms))
    expires_at: Mapped[Timestamp | None]
    """When the host's answer, or the payment, comes too late: by the database's clock."""
    cancelled_by: Mapped[Party | None] = mapped_column(one_of(Party, "cancelled_by"))
    refund_amount: Mapped[BigInt | None]
    """What the cancellation gives back of the total: 0 when nothing was paid."""
    created_at: Mapped[CreatedAt]

    as_of: Mapped[datetime] = column_property(func.now())
    """The database's clock when the row was read: deadlines are set by it and compared with it."""

    def agree(self, quote: Quote) -> None:
        """Take over what a quote promises: dates, guests, price and terms."""
        for name in ("check_in", "check_out", "timezone", "check_in_time", "check_out_time", "guests", "cancellation"):
            setattr(self, name, getattr(quote, name))
        self.price, self.ends_at = quote.price, quote.stay.ends_at
        self.total_amount, self.currency = quote.price.total.amount, quote.price.total.currency

    def check_move(self, status: BookingStatus) -> None:
        """Raise `IllegalTransition` unless the move is legal now."""
        if status not in LEGAL_MOVES[self.status]:
            raise IllegalTransition(f"A booking that is {self.status} cannot become {status}.")

    def move(self, status: BookingStatus) -> None:
        """Make a legal move."""
        self.check_move(status)
        self.status = status
        self.version += 1
        self.expires_at = None

    @property
    def is_overdue(self) -> bool:
        """Whether the deadline has passed, though the sweeper may not have come by yet."""
        return self.expires_at is not None and self.expires_at <= self.as_of

    def party(self, user_id: UUID) -> Party | None:
        """Who this user is to the booking; None for a stranger."""
        return {self.guest_id: Party.GUEST, self.host_id: Party.HOST}.get(user_id)

    @property
    def stay(self) -> Stay:
        """The dates, with their zone and hours."""
        return Stay(self.check_in, self.check_out, self.timezone, self.check_in_time, self.check_out_time)

    @property
    def total(self) -> Money:
        """What the guest pays."""
        return self.money(self.total_amount)

    @property
    def refund(self) -> Money | None:
        """What the cancellation gives back."""
        return None if self.refund_amount is None else self.money(self.refund_amount)

    @property
    def non_refundable(self) -> Money:
        """What a guest who cancels now does not get back; nor does one who changes the stay, then or later."""
        return self.money(self.total_amount - self.cancellation.refund(self.total_amount, self.as_of))

    def money(self, amount: int) -> Money:
        """An amount in the booking's currency."""
        return Money(amount=amount, currency=self.currency)

    def facts(self) -> dict[str, Any]:
        """The members that all facts of a booking share (`nexus_contracts.bookings.BookingFact`)."""
        shared = (
            "listing_id",
            "listing_title",
            "guest_id",
            "host_id",
            "check_in",
            "check_out",
            "timezone",
            "guests",
            "total",
        )
        return {"booking_id": self.id, **{name: getattr(self, name) for name in shared}}
