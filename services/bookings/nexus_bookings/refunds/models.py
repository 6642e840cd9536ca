"""Money that goes back to a guest."""

from enum import StrEnum
from uuid import UUID

from nexus_contracts.money import Money
from nexus_kit.db import BigInt, CreatedAt, Timestamp, Uuid7Pk
from sqlalchemy import CheckConstraint, ForeignKey, Index, String, text
from sqlalchemy.orm import Mapped, mapped_column

from nexus_bookings.db import Base, one_of


class RefundReason(StrEnum):
    """Why money goes back."""

    CANCELLED = "cancelled"
    """A party cancelled the booking."""
    CHANGED = "changed"
    """The stay was changed, and costs less."""
    NIGHTS_GONE = "nights_gone"
    """It arrived when the booking could not be confirmed or changed with it: too late, or paid twice."""
    MISMATCH = "mismatch"
    """It is not what was asked for: another amount, another currency, play money."""


class Refund(Base):
    """An order to give money back: committed first, then carried out until the provider takes it."""

    __tablename__ = "refunds"
    __table_args__ = (
        CheckConstraint("amount > 0", name="amount"),
        Index("ix_refunds_due_at", "due_at", postgresql_where=text("done_at IS NULL AND stuck_at IS NULL")),
        Index("ix_refunds_stuck_at", "stuck_at", postgresql_where=text("stuck_at IS NOT NULL")),
    )

    id: Mapped[Uuid7Pk]
    payment_id: Mapped[UUID] = mapped_column(ForeignKey("payments.id"), index=True)
    """A payment may be refunded in parts: `payments.refunded_amount` is their sum."""
    reference: Mapped[str] = mapped_column(String(60), unique=True)
    """Our name for it at the provider, made from the payment's and a number: the same in every try."""
    amount: Mapped[BigInt]
    currency: Mapped[str] = mapped_column(String(3))
    reason: Mapped[RefundReason] = mapped_column(one_of(RefundReason, "reason"))
    due_at: Mapped[Timestamp] = mapped_column(server_default=text("now()"))
    """When to try (again)."""
    tries: Mapped[int] = mapped_column(default=0)
    failure: Mapped[str | None]
    """Why the last try failed, for the operator."""
    stuck_at: Mapped[Timestamp | None]
    """When it was given up: it waits for an operator, who has it tried again."""
    done_at: Mapped[Timestamp | None]
    created_at: Mapped[CreatedAt]

    @property
    def money(self) -> Money:
        """What goes back."""
        return Money(amount=self.amount, currency=self.currency)
