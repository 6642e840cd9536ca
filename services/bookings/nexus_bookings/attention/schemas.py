"""The wire shapes of what an operator should look into."""

from enum import StrEnum
from uuid import UUID

from nexus_contracts.money import Money
from nexus_kit.schemas import Resource, UtcDateTime
from pydantic import Field


class Concern(StrEnum):
    """What needs a person."""

    REFUND_STUCK = "refund_stuck"
    """The provider refuses to give money back, failed to, or takes too long: put right what is wrong, then have it
    tried again."""
    PAYMENT_TAKEN_BACK = "payment_taken_back"
    """The provider returned a payment without an order of ours: find out why, then acknowledge it."""
    PAYOUT_MISMATCHED = "payout_mismatched"
    """The provider speaks of another transfer than was ordered: find out what it sent. It is asked again by itself."""
    PAYOUT_CAME_BACK = "payout_came_back"
    """A payout that had arrived came back, and the host is owed it again: see that their bank account is put right,
    then acknowledge it."""


class AttentionOut(Resource):
    """One thing to look into."""

    concern: Concern
    payment_id: UUID | None = Field(default=None, description="Null for payouts.")
    booking_id: UUID | None = Field(default=None, description="Null for payouts.")
    refund_id: UUID | None = Field(default=None, description="For `refund_stuck`.")
    payout_id: UUID | None = Field(default=None, description="For payouts.")
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
