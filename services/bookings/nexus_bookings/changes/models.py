"""A change of a confirmed booking's dates or guests, its states, and the moves that are legal between them.

               ┌───────────┐ accept, dearer  ┌─────────────────┐  paid
    request ──▶│ requested ├────────────────▶│ pending_payment ├───────▶ applied
               └─┬─────────┘        dearer ─▶└─┬───────────────┘
                 ├─▶ applied (accepted, not dearer; at once where hosts need not answer)
                 ├─▶ declined                  ├─▶ expired
                 ├─▶ expired                   └─▶ cancelled
                 └─▶ cancelled

The first two are open: a booking has one at most, and holds the nights of both stays meanwhile.
"""

from datetime import datetime
from enum import StrEnum
from uuid import UUID

from nexus_kit.db import CreatedAt, Timestamp, Uuid7Pk
from nexus_kit.errors import IllegalTransition
from sqlalchemy import CheckConstraint, ForeignKey, Index, Update, func, text, update
from sqlalchemy.orm import Mapped, column_property, mapped_column, relationship

from nexus_bookings.db import Base, one_of
from nexus_bookings.pricing import Difference
from nexus_bookings.quotes.models import Quote


class ChangeStatus(StrEnum):
    """Where a change stands."""

    REQUESTED = "requested"
    """The host is asked; the nights of both stays are held."""
    PENDING_PAYMENT = "pending_payment"
    """The nights of both stays are held until the difference is paid."""
    APPLIED = "applied"
    """The booking is the new stay."""
    DECLINED = "declined"
    """The host said no."""
    EXPIRED = "expired"
    """The host did not answer, or the guest did not pay, in time."""
    CANCELLED = "cancelled"
    """The booking was cancelled."""


OPEN = (ChangeStatus.REQUESTED, ChangeStatus.PENDING_PAYMENT)

LEGAL_MOVES: dict[ChangeStatus, frozenset[ChangeStatus]] = {
    ChangeStatus.REQUESTED: frozenset(
        {
            ChangeStatus.PENDING_PAYMENT,
            ChangeStatus.APPLIED,
            ChangeStatus.DECLINED,
            ChangeStatus.EXPIRED,
            ChangeStatus.CANCELLED,
        }
    ),
    ChangeStatus.PENDING_PAYMENT: frozenset({ChangeStatus.APPLIED, ChangeStatus.EXPIRED, ChangeStatus.CANCELLED}),
    ChangeStatus.APPLIED: frozenset(),
    ChangeStatus.DECLINED: frozenset(),
    ChangeStatus.EXPIRED: frozenset(),
    ChangeStatus.CANCELLED: frozenset(),
}


class BookingChange(Base):
    """What a guest wants instead of what a booking says: the quote, whose price is charged as it stands."""

    __tablename__ = "booking_changes"
    __table_args__ = (
        CheckConstraint("(status IN ('requested', 'pending_payment')) = (expires_at IS NOT NULL)", name="expires_at"),
        Index(
            "ix_booking_changes_open",
            "booking_id",
            unique=True,
            postgresql_where=text("status IN ('requested', 'pending_payment')"),
        ),
        Index("ix_booking_changes_expires_at", "expires_at", postgresql_where=text("expires_at IS NOT NULL")),
    )

    id: Mapped[Uuid7Pk]
    booking_id: Mapped[UUID] = mapped_column(ForeignKey("bookings.id"), index=True)
    """Whoever moves the change holds the lock of this booking's row."""
    quote_id: Mapped[UUID] = mapped_column(ForeignKey("quotes.id"), unique=True)
    status: Mapped[ChangeStatus] = mapped_column(one_of(ChangeStatus, "status"))
    expires_at: Mapped[Timestamp | None]
    """When the host's answer, or the payment, comes too late: by the database's clock."""
    created_at: Mapped[CreatedAt]

    quote: Mapped[Quote] = relationship(lazy="joined", innerjoin=True)
    as_of: Mapped[datetime] = column_property(func.now())
    """The database's clock when the row was read."""

    def move(self, status: ChangeStatus, expires_at: datetime | None = None) -> None:
        """Make a legal move; `IllegalTransition` for any other."""
        if status not in LEGAL_MOVES[self.status]:
            raise IllegalTransition(f"A change that is {self.status} cannot become {status}.")
        self.status, self.expires_at = status, expires_at

    @property
    def is_overdue(self) -> bool:
        """Whether the deadline has passed, though the sweeper may not have come by yet."""
        return self.expires_at is not None and self.expires_at <= self.as_of

    @property
    def difference(self) -> Difference:
        """What it costs, or gives back."""
        assert self.quote.difference is not None, "it is a quote for a change"
        return self.quote.difference


def end_open_change(booking_id: UUID) -> Update:
    """The booking is called off, and whatever should have become of it."""
    its_open = (BookingChange.booking_id == booking_id) & BookingChange.status.in_(OPEN)
    return update(BookingChange).where(its_open).values(status=ChangeStatus.CANCELLED, expires_at=None)
