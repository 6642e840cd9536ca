"""What a guest gets back: the terms that a quote promises, a booking keeps, and a cancellation pays.

The terms are derived from the listing's policy once, as instants; whatever the host changes later does not reach them.
"""

from datetime import datetime

from nexus_contracts.listings import CancellationPolicy
from nexus_kit.schemas import UtcDateTime
from pydantic import BaseModel, ConfigDict, Field

from nexus_bookings.stays import Stay


class RefundTier(BaseModel):
    """Until this instant, this much comes back."""

    model_config = ConfigDict(frozen=True)

    until: UtcDateTime = Field(examples=["2026-12-24T12:00:00.000Z"])
    refund_percent: int = Field(ge=0, le=100, examples=[100])


class CancellationTerms(BaseModel):
    """The tiers in order of time; after the last one nothing comes back. A host who cancels pays everything back."""

    model_config = ConfigDict(frozen=True)

    policy: CancellationPolicy = Field(description="The listing's policy when the price was quoted.")
    tiers: list[RefundTier]

    def refund_percent(self, at: datetime) -> int:
        """How much of the price comes back to a guest who cancels at this instant."""
        return next((tier.refund_percent for tier in self.tiers if at < tier.until), 0)


def terms(policy: CancellationPolicy, stay: Stay) -> CancellationTerms:
    """Every policy gives a full refund until check-in."""
    return CancellationTerms(policy=policy, tiers=[RefundTier(until=stay.begins_at, refund_percent=100)])
