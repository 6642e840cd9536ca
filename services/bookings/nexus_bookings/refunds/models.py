"""Money that goes back to a guest.

ordered ─▶ accepted ─▶ done      Ours to order, the provider's to give: it may take days over an order that it accepted,
   │ ▲        │                  and it is done when it says so. Only then is it written in the ledger. What it refuses,
   ▼ │        ▼                  fails or forgets is stuck until an operator orders it again.
 stuck ◀──────┘
"""

from enum import StrEnum
from uuid import UUID

from nexus_contracts.money import Money
from nexus_kit.db import BigInt, CreatedAt, Timestamp, Uuid7Pk
from nexus_kit.errors import IllegalTransition
from sqlalchemy import CheckConstraint, ForeignKey, Index, String, func, text
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


class RefundStatus(StrEnum):
    """Where a refund stands, by what the provider answered."""

    ORDERED = "ordered"
    """Owed, and not accepted by the provider yet."""
    ACCEPTED = "accepted"
    """The provider has taken the order, and still holds the money."""
    DONE = "done"
    """The provider gave it back, or took it back from us first."""
    STUCK = "stuck"
    """It waits for an operator, who has it ordered again."""


LEGAL_MOVES: dict[RefundStatus, frozenset[RefundStatus]] = {
    RefundStatus.ORDERED: frozenset({RefundStatus.ACCEPTED, RefundStatus.STUCK, RefundStatus.DONE}),
    RefundStatus.ACCEPTED: frozenset({RefundStatus.DONE, RefundStatus.STUCK}),
    RefundStatus.STUCK: frozenset({RefundStatus.ORDERED, RefundStatus.DONE}),
    RefundStatus.DONE: frozenset(),
}
"""From each state to `done`: the provider may take the whole payment back at any time."""


class Refund(Base):
    """An order to give money back: committed first, sent until the provider accepts it, followed until it is done."""

    __tablename__ = "refunds"
    __table_args__ = (
        CheckConstraint("amount > 0", name="amount"),
        CheckConstraint("(status = 'done') = (done_at IS NOT NULL)", name="done_at"),
        CheckConstraint("(status = 'stuck') = (stuck_at IS NOT NULL)", name="stuck_at"),
        Index("ix_refunds_due_at", "due_at", postgresql_where=text("done_at IS NULL AND stuck_at IS NULL")),
        Index("ix_refunds_stuck_at", "stuck_at", postgresql_where=text("stuck_at IS NOT NULL")),
    )

    id: Mapped[Uuid7Pk]
    payment_id: Mapped[UUID] = mapped_column(ForeignKey("payments.id"), index=True)
    """A payment may be refunded in parts: `payments.refunded_amount` is their sum."""
    reference: Mapped[str] = mapped_column(String(60), unique=True)
    """Our name for it at the provider, made from the payment's and a number: the same in every try, and another one
    only after the provider said that this one failed."""
    amount: Mapped[BigInt]
    currency: Mapped[str] = mapped_column(String(3))
    reason: Mapped[RefundReason] = mapped_column(one_of(RefundReason, "reason"))
    status: Mapped[RefundStatus] = mapped_column(
        one_of(RefundStatus, "status"), default=RefundStatus.ORDERED, server_default=RefundStatus.ORDERED
    )
    due_at: Mapped[Timestamp] = mapped_column(server_default=text("now()"))
    """When to order it, or to ask about it (next)."""
    tries: Mapped[int] = mapped_column(default=0)
    """Since it was ordered or accepted."""
    failure: Mapped[str | None]
    """Why the last try failed, for the operator."""
    accepted_at: Mapped[Timestamp | None]
    """When the provider last took the order. None: it never has, and the guest was not told."""
    stuck_at: Mapped[Timestamp | None]
    done_at: Mapped[Timestamp | None]
    created_at: Mapped[CreatedAt]

    def move(self, status: RefundStatus, failure: str | None = None) -> None:
        """Make a legal move, and be due at once; `IllegalTransition` for any other."""
        if status not in LEGAL_MOVES[self.status]:
            raise IllegalTransition(f"A refund that is {self.status} cannot become {status}.")
        self.status, self.failure = status, failure
        self.due_at = func.now()
        self.tries = self.tries if status is RefundStatus.STUCK else 0
        self.stuck_at = func.now() if status is RefundStatus.STUCK else None
        self.done_at = func.now() if status is RefundStatus.DONE else None

    @property
    def money(self) -> Money:
        """What goes back."""
        return Money(amount=self.amount, currency=self.currency)
