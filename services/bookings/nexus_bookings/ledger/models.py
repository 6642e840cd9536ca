"""The ledger's tables: transactions of signed entries. `movements.py` says what is written, and explains the accounts.

The database refuses what must never be: a transaction that does not sum to zero in each currency (checked when it is
committed), the same movement twice, and any change of what is written (triggers, in migration 0003).
"""

from uuid import UUID

from nexus_kit.db import BigInt, CreatedAt, Uuid7Pk
from sqlalchemy import BigInteger, CheckConstraint, ForeignKey, Identity, Index, String, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column, relationship

from nexus_bookings.db import Base, one_of
from nexus_bookings.movements import Account, Kind


class LedgerTransaction(Base):
    """One movement of money."""

    __tablename__ = "ledger_transactions"
    __table_args__ = (UniqueConstraint("kind", "source_id"),)

    id: Mapped[Uuid7Pk]
    kind: Mapped[Kind] = mapped_column(one_of(Kind, "kind"))
    source_id: Mapped[UUID]
    """The payment, change, refund, payout or booking that it is about, as the kind says."""
    at: Mapped[CreatedAt]
    """The instant of the change that it records: both are one database transaction."""
    entries: Mapped[list["LedgerEntry"]] = relationship(lazy="raise")


class LedgerEntry(Base):
    """So much on one account."""

    __tablename__ = "ledger_entries"
    __table_args__ = (
        CheckConstraint("amount <> 0", name="amount"),
        CheckConstraint("(account IN ('host_payable', 'payout')) = (host_id IS NOT NULL)", name="host_id"),
        Index("ix_ledger_entries_host_id", "host_id", "id", postgresql_where=text("host_id IS NOT NULL")),
    )

    id: Mapped[int] = mapped_column(BigInteger, Identity(always=True), primary_key=True)
    """In the order of writing."""
    transaction_id: Mapped[UUID] = mapped_column(ForeignKey("ledger_transactions.id"), index=True)
    account: Mapped[Account] = mapped_column(one_of(Account, "account"))
    host_id: Mapped[UUID | None]
    """Whose account it is, for those that hosts have."""
    booking_id: Mapped[UUID | None] = mapped_column(ForeignKey("bookings.id"), index=True)
    """None for payouts: they take what several bookings earned."""
    amount: Mapped[BigInt]
    """Minor units of `currency`, signed."""
    currency: Mapped[str] = mapped_column(String(3))
