"""What a stay costs. quotes computes it once; from then on it is kept and charged as it is.

All amounts are integers of minor units. The one division, the service fee, rounds half up.
"""

from datetime import date

from nexus_contracts.listings import ListingSnapshot
from nexus_contracts.money import Money
from pydantic import BaseModel, ConfigDict, Field

from nexus_bookings.stays import Stay


class NightlyPrice(BaseModel):
    """The price of one night."""

    model_config = ConfigDict(frozen=True)

    night: date = Field(examples=["2026-12-24"])
    price: Money


class Price(BaseModel):
    """The whole price, line by line. `total` is the sum of the others."""

    model_config = ConfigDict(frozen=True)

    nights: list[NightlyPrice]
    accommodation: Money
    cleaning_fee: Money
    service_fee: Money
    total: Money


def price(listing: ListingSnapshot, stay: Stay, *, service_fee_percent: int) -> Price:
    """What the listing asks for this stay now."""
    currency = listing.price.currency
    nights = [NightlyPrice(night=night, price=listing.price) for night in stay.nights]
    accommodation = sum(line.price.amount for line in nights)
    cleaning_fee = listing.cleaning_fee.amount
    service_fee = percent_of(accommodation + cleaning_fee, service_fee_percent)
    return Price(
        nights=nights,
        accommodation=Money(amount=accommodation, currency=currency),
        cleaning_fee=Money(amount=cleaning_fee, currency=currency),
        service_fee=Money(amount=service_fee, currency=currency),
        total=Money(amount=accommodation + cleaning_fee + service_fee, currency=currency),
    )


def percent_of(amount: int, percent: int) -> int:
    """A share of an amount that is not negative, half a minor unit rounded up."""
    return (amount * percent + 50) // 100
