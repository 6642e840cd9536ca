"""What a guest gets back: the terms that a quote promises, a booking keeps, and a cancellation pays.

The terms are derived from the listing's policy once, as instants; whatever the host changes later does not reach them.
"""

from datetime import datetime, timedelta

from nexus_contracts.listings import CancellationPolicy, ListingSnapshot
from nexus_contracts.money import Money
from nexus_kit.schemas import UtcDateTime
from pydantic import BaseModel, ConfigDict, Field

from nexus_bookings.pricing import percent_of
from nexus_bookings.stays import Stay

PUBLISHED: dict[CancellationPolicy, tuple[tuple[int, int], ...]] = {
    CancellationPolicy.FLEXIBLE: ((1, 100), (0, 50)),
    CancellationPolicy.MODERATE: ((5, 100), (1, 50)),
    CancellationPolicy.STRICT: ((14, 100), (7, 50)),
}
"""Until so many days before check-in, at the hour of check-in, so many percent come back; after the last, nothing."""


class RefundTier(BaseModel):
    """Until this instant, this much comes back."""

    model_config = ConfigDict(frozen=True)

    until: UtcDateTime = Field(examples=["2026-12-24T12:00:00.000Z"])
    refund_percent: int = Field(ge=0, le=100, description="Of all that was paid, fees and tax too.", examples=[100])


class CancellationTerms(BaseModel):
    """The tiers in order of time; after the last one nothing comes back. A host who cancels pays everything back."""

    model_config = ConfigDict(frozen=True)

    policy: CancellationPolicy = Field(description="The listing's policy when the price was quoted.")
    tiers: list[RefundTier]
    non_refundable: Money | None = Field(
        default=None,
        description="Of a changed stay: so much does not come back whatever the tiers say, because the terms of the "
        "former stay no longer gave it back.",
    )

    def refund_percent(self, at: datetime) -> int:
        """How much of the price comes back to a guest who cancels at this instant."""
        return next((tier.refund_percent for tier in self.tiers if at < tier.until), 0)

    def refund(self, paid: int, at: datetime) -> int:
        """How many minor units of what was paid come back to a guest who cancels at this instant."""
        fixed = self.non_refundable.amount if self.non_refundable else 0
        return min(percent_of(paid, self.refund_percent(at)), max(paid - fixed, 0))


def terms(listing: ListingSnapshot, stay: Stay, *, non_refundable: Money | None = None) -> CancellationTerms:
    """The policy's tiers for this stay, and what the stay that it replaces has lost already."""
    policy = listing.cancellation_policy
    if policy is CancellationPolicy.CUSTOM:
        # Hours are hours: where clocks change in between, 72 of them are not three days by the clock.
        tiers = [
            RefundTier(
                until=stay.begins_at - timedelta(hours=tier.hours_before_check_in), refund_percent=tier.refund_percent
            )
            for tier in listing.cancellation_tiers
        ]
    else:
        tiers = [
            RefundTier(until=stay.check_in_hour(days_before=days), refund_percent=percent)
            for days, percent in PUBLISHED[policy]
        ]
    tiers.sort(key=lambda tier: tier.until)
    return CancellationTerms(policy=policy, tiers=tiers, non_refundable=non_refundable)
