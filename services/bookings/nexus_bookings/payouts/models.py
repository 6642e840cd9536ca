"""Payouts, and where hosts want them.

pending ─▶ paid ─▶ failed      Ordered, it takes what the host has available; failed, it gives it back. What has arrived
   └─────▶ failed              may still come back: it is looked at for some days, and whenever the provider says so.
"""

from enum import StrEnum
from typing import Any
from uuid import UUID

from nexus_contracts.money import Money
from nexus_kit.db import BigInt, CreatedAt, Timestamp, Uuid7Pk
from nexus_kit.errors import IllegalTransition
from sqlalchemy import CheckConstraint, Index, String, text
from sqlalchemy.orm import Mapped, mapped_column

from nexus_bookings.db import Base, one_of
from nexus_bookings.payments.provider import BankAccount


class PayoutStatus(StrEnum):
    """Where a payout stands, by what the provider answered when we asked."""

    PENDING = "pending"
    """Ordered; the provider has not confirmed that it arrived."""
    PAID = "paid"
    """It arrived at the host's bank."""
    FAILED = "failed"
    """It did not leave, or came back: the host is owed it as before."""


LEGAL_MOVES: dict[PayoutStatus, frozenset[PayoutStatus]] = {
    PayoutStatus.PENDING: frozenset({PayoutStatus.PAID, PayoutStatus.FAILED}),
    PayoutStatus.PAID: frozenset({PayoutStatus.FAILED}),
    PayoutStatus.FAILED: frozenset(),
}


class Payout(Base):
    """An order to pay a host: committed first, then sent to the provider once, then asked about until it is known."""

    __tablename__ = "payouts"
    __table_args__ = (
        CheckConstraint("amount > 0", name="amount"),
        CheckConstraint("status = 'paid' OR (status = 'pending') = (due_at IS NOT NULL)", name="due_at"),
        CheckConstraint("status <> 'paid' OR paid_at IS NOT NULL", name="paid_at"),
        Index("ix_payouts_host_id", "host_id", "id"),
        Index("ix_payouts_due_at", "due_at", postgresql_where=text("due_at IS NOT NULL")),
        Index("ix_payouts_attention_since", "attention_since", postgresql_where=text("attention_since IS NOT NULL")),
    )

    id: Mapped[Uuid7Pk]
    version: Mapped[int] = mapped_column(default=1)
    """Grows with every move: the sequence of the payout's events."""
    host_id: Mapped[UUID]
    ordered_by: Mapped[UUID]
    """The admin."""
    reference: Mapped[str] = mapped_column(String(50), unique=True)
    """Our name for it at the provider. Never used for a second transfer."""
    amount: Mapped[BigInt]
    """Minor units of `currency`: all that was available."""
    currency: Mapped[str] = mapped_column(String(3))
    status: Mapped[PayoutStatus] = mapped_column(one_of(PayoutStatus, "status"), default=PayoutStatus.PENDING)
    failure: Mapped[str | None]
    """Why it failed or, until then, what an operator should look into."""
    sent_at: Mapped[Timestamp | None]
    """Just before the provider was told: from then on it is only asked."""
    due_at: Mapped[Timestamp | None] = mapped_column(server_default=text("now()"))
    """When to send it, or to ask about it (next). None: there is nothing to ask."""
    paid_at: Mapped[Timestamp | None]
    """When we learnt that it had arrived."""
    attention_since: Mapped[Timestamp | None]
    """Since when an operator should look into its coming back. None: nobody needs to, or somebody has."""
    tries: Mapped[int] = mapped_column(default=0)
    created_at: Mapped[CreatedAt]

    def move(self, status: PayoutStatus) -> None:
        """Make a legal move; `IllegalTransition` for any other."""
        if status not in LEGAL_MOVES[self.status]:
            raise IllegalTransition(f"A payout that is {self.status} cannot become {status}.")
        self.status = status
        self.due_at = None
        self.version += 1

    def note(self, failure: str | None) -> None:
        """Say what is odd about a payout that has not failed; None: nothing."""
        if failure != self.failure:
            self.failure = failure
            self.version += 1

    @property
    def money(self) -> Money:
        """What the host gets."""
        return Money(amount=self.amount, currency=self.currency)

    def facts(self) -> dict[str, Any]:
        """The members that all facts of a payout share (`nexus_contracts.bookings.PayoutFact`)."""
        return {"payout_id": self.id, "host_id": self.host_id, "amount": self.money}


class PayoutAccount(Base):
    """A host's bank account: personal data, kept here alone, and forgotten when the user is."""

    __tablename__ = "payout_accounts"

    host_id: Mapped[UUID] = mapped_column(primary_key=True)
    account_name: Mapped[str]
    account_number: Mapped[str]
    bank_code: Mapped[int]
    """By the provider's list of banks."""
    updated_at: Mapped[CreatedAt]

    @property
    def ending(self) -> str:
        """What is shown of the number: enough to recognise it by."""
        return f"…{self.account_number[-4:]}"

    def as_bank_account(self) -> BankAccount:
        """For the provider."""
        return BankAccount(name=self.account_name, number=self.account_number, bank_code=self.bank_code)
