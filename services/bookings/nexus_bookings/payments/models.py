"""Payments, and the webhooks we were sent about them.

pending ─▶ succeeded ─▶ refunded      A payment only moves to the right: the provider's word that money arrived
   └─────▶ failed ────▶ refunded      outranks "failed", and nothing undoes a refund. Part of a payment may go back:
              └▶ succeeded            it is `refunded` when all of it has.
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
    """All that was charged went back: by our orders, or because the provider took it."""


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
        CheckConstraint("num_nonnulls(charged_amount, charged_currency) IN (0, 2)", name="charged"),
        CheckConstraint("refunded_amount BETWEEN 0 AND coalesce(charged_amount, 0)", name="refunded_amount"),
        Index("ix_payments_check_at", "check_at", postgresql_where=text("check_at IS NOT NULL")),
        Index("ix_payments_attention_since", "attention_since", postgresql_where=text("attention_since IS NOT NULL")),
    )

    id: Mapped[Uuid7Pk]
    version: Mapped[int] = mapped_column(default=1)
    """Grows with every move: the sequence of the payment's events."""
    booking_id: Mapped[UUID] = mapped_column(ForeignKey("bookings.id"), index=True)
    change_id: Mapped[UUID | None] = mapped_column(ForeignKey("booking_changes.id"))
    """The change of the booking that it pays for. None: it pays for the booking itself."""
    guest_id: Mapped[UUID]
    """The booking's guest, who pays."""
    tx_ref: Mapped[str] = mapped_column(String(50), unique=True)
    """Our name for it at the provider. Never used for a second checkout."""
    amount: Mapped[BigInt]
    """Minor units of `currency`: what the guest is asked for."""
    currency: Mapped[str] = mapped_column(String(3))
    charged_amount: Mapped[BigInt | None]
    """Minor units of `charged_currency`: what the provider says it took. None until it has."""
    charged_currency: Mapped[str | None] = mapped_column(String(3))
    refunded_amount: Mapped[BigInt] = mapped_column(default=0, server_default=text("0"))
    """Of what was charged: ordered to go back, or taken back by the provider. Never more than was charged."""
    status: Mapped[PaymentStatus] = mapped_column(one_of(PaymentStatus, "status"), default=PaymentStatus.PENDING)
    checkout_url: Mapped[str | None]
    """Where the guest pays. None until the provider has answered."""
    provider_reference: Mapped[str | None]
    """The provider's name for the charge, once there is one: refunds go by it."""
    failure: Mapped[str | None]
    """Why it failed, or was taken back, for the log and the operator."""
    attention_since: Mapped[Timestamp | None]
    """Since when an operator should look into it (`failure` says why). None: nobody needs to, or somebody has."""
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
        """What the guest is asked for."""
        return Money(amount=self.amount, currency=self.currency)

    @property
    def refunded(self) -> Money:
        """What goes back."""
        return Money(amount=self.refunded_amount, currency=self.charged_currency or self.currency)

    @property
    def kept(self) -> Money:
        """What is left of what was charged."""
        left = (self.charged_amount or 0) - self.refunded_amount
        return Money(amount=left, currency=self.charged_currency or self.currency)

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
