"""The wire shapes of what an operator should look into."""

from enum import StrEnum
from uuid import UUID

from nexus_contracts.money import Money
from nexus_kit.schemas import Resource, UtcDateTime
from pydantic import Field


class Concern(StrEnum):
    """What needs a person."""

    REFUND_STUCK = "refund_stuck"
    """The provider will not give money back: put right what is wrong, then have it tried again."""
    PAYMENT_TAKEN_BACK = "payment_taken_back"
    """The provider returned a payment without an order of ours: find out why, then acknowledge it."""
    PAYOUT_MISMATCHED = "payout_mismatched"
    """The provider speaks of another transfer than was ordered: find out what it sent. It is asked every hour."""


class AttentionOut(Resource):
    """One thing to look into."""

    concern: Concern
    payment_id: UUID | None = Field(default=None, description="Null for `payout_mismatched`.")
    booking_id: UUID | None = Field(default=None, description="Null for `payout_mismatched`.")
    refund_id: UUID | None = Field(default=None, description="For `refund_stuck`.")
    payout_id: UUID | None = Field(default=None, description="For `payout_mismatched`.")
    amount: Money
    reason: str
    since: UtcDateTime


class AttentionsOut(Resource):
    """All of it, oldest first."""

    items: list[AttentionOut]
    next_cursor: None = None


class RefundOut(Resource):
    """A refund that is tried again."""

    id: UUID
    payment_id: UUID
    amount: Money = Field(validation_alias="money")
    reference: str = Field(description="Our name for it at the payment provider.")
    due_at: UtcDateTime
