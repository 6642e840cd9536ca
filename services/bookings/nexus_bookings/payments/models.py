"""Payments, and the webhooks we were sent about them.

pending ─▶ succeeded ─▶ refunded      A payment only moves to the right: the provider's word that money arrived
   └─────▶ failed ────▶ refunded      outranks "failed", and nothing undoes a refund.
              └▶ succeeded
"""

from enum import StrEnum
from typing import Any
from uuid import UUID

from nexus_contracts.money import Money
from nexus_kit.db import BigInt, CreatedAt, Timestamp, Uuid7Pk
from nexus_kit.errors import IllegalTransition
from sqlalchemy import CheckConstraint, ForeignKey, Index, String, text
from sqlalchemy.orm import Mapped, mapped_column

from nexus_bookings.db import Base, one_of


class PaymentStatus(StrEnum):
    """Where a payment stands, by what the provider answered when we asked."""

    PENDING = "pending"
    """The guest may still pay."""
    FAILED = "failed"
    """Refused, given up, or not what was asked for; anything that was charged goes back."""
    SUCCEEDED = "succeeded"
    """The provider holds the whole amount for us."""
    REFUNDED = "refunded"
    """The provider took the order to give it back."""


LEGAL_MOVES: dict[PaymentStatus, frozenset[PaymentStatus]] = {
    PaymentStatus.PENDING: frozenset({PaymentStatus.FAILED, PaymentStatus.SUCCEEDED}),
    PaymentStatus.FAILED: frozenset({PaymentStatus.SUCCEEDED, PaymentStatus.REFUNDED}),
    PaymentStatus.SUCCEEDED: frozenset({PaymentStatus.REFUNDED}),
    PaymentStatus.REFUNDED: frozenset(),
}


class Payment(Base):
    """One try to pay a booking. The row is committed before the provider hears of it."""

    __tablename__ = "payments"
    __table_args__ = (
        CheckConstraint("amount >= 0", name="amount"),
        Index("ix_payments_check_at", "check_at", postgresql_where=text("check_at IS NOT NULL")),
    )

    id: Mapped[Uuid7Pk]
    version: Mapped[int] = mapped_column(default=1)
    """Grows with every move: the sequence of the payment's events."""
    booking_id: Mapped[UUID] = mapped_column(ForeignKey("bookings.id"), index=True)
    guest_id: Mapped[UUID]
    """The booking's guest, who pays."""
    tx_ref: Mapped[str] = mapped_column(String(50), unique=True)
    """Our name for it at the provider. Never used for a second checkout."""
    amount: Mapped[BigInt]
    """Minor units of `currency`: the booking's total."""
    currency: Mapped[str] = mapped_column(String(3))
    status: Mapped[PaymentStatus] = mapped_column(one_of(PaymentStatus, "status"), default=PaymentStatus.PENDING)
    checkout_url: Mapped[str | None]
    """Where the guest pays. None until the provider has answered."""
    provider_reference: Mapped[str | None]
    """The provider's name for the charge, once there is one: refunds go by it."""
    failure: Mapped[str | None]
    """Why it failed, for the log and the operator."""
    check_at: Mapped[Timestamp | None]
    """When to ask the provider about it (next); a webhook sets it to now. None: there is nothing to ask."""
    checks: Mapped[int] = mapped_column(default=0)
    """How often the provider was asked and did not know yet."""
    give_up_at: Mapped[Timestamp]
    """A payment that is still pending then has failed."""
    created_at: Mapped[CreatedAt]

    def move(self, status: PaymentStatus) -> None:
        """Make a legal move; `IllegalTransition` for any other."""
        if status not in LEGAL_MOVES[self.status]:
            raise IllegalTransition(f"A payment that is {self.status} cannot become {status}.")
        self.status = status
        self.version += 1

    @property
    def money(self) -> Money:
        """The whole amount."""
        return Money(amount=self.amount, currency=self.currency)

    def facts(self, money: Money | None = None) -> dict[str, Any]:
        """The members that all facts of a payment share (`nexus_contracts.bookings.PaymentFact`)."""
        return {
            "payment_id": self.id,
            "booking_id": self.booking_id,
            "guest_id": self.guest_id,
            "amount": money or self.money,
        }

    @property
    def is_open(self) -> bool:
        """Whether the guest can still pay on its page."""
        return self.status is PaymentStatus.PENDING and self.checkout_url is not None


class WebhookReceipt(Base):
    """One row per distinct webhook with a good signature, so that a repeated one costs nothing."""

    __tablename__ = "webhook_receipts"

    digest: Mapped[bytes] = mapped_column(primary_key=True)
    """SHA-256 of the raw body: the provider gives its webhooks no id."""
    received_at: Mapped[CreatedAt]
