"""What a stay costs. quotes computes it once; from then on it is kept, charged and divided as it is.

All amounts are integers of minor units. Every percentage is taken once for the whole stay and rounds half up.
"""

from dataclasses import dataclass
from datetime import date
from typing import Self

from nexus_contracts.listings import ListingSnapshot
from nexus_contracts.money import Money
from pydantic import BaseModel, ConfigDict, Field, model_validator

from nexus_bookings.stays import Stay


@dataclass(frozen=True)
class Percentages:
    """What Nexus and the state take of what the host asks: the settings say it."""

    service_fee: int
    tax: int
    host_fee: int


class NightlyPrice(BaseModel):
    """The price of one night."""

    model_config = ConfigDict(frozen=True)

    night: date = Field(examples=["2026-12-24"])
    price: Money
    special: bool = Field(default=False, description="The host asks it for such days; otherwise it is the usual price.")


class GuestPrice(BaseModel):
    """What the guest pays, line by line."""

    model_config = ConfigDict(frozen=True)

    nights: list[NightlyPrice]
    accommodation: Money = Field(description="All nights together.")
    length_discount: Money = Field(description="Taken off, because the stay is long.")
    extra_guests: Money = Field(description="For guests above those that the nightly price is for.")
    cleaning_fee: Money = Field(description="Once per stay.")
    service_fee: Money = Field(description="Nexus' own fee, on top of what the host asks.")
    tax: Money = Field(description="On what the host asks.")
    retained: Money | None = Field(
        default=None,
        description="Of a changed stay: what the terms of the former one no longer gave back, as far as this one costs "
        "less. The host gets it.",
    )
    total: Money = Field(description="What the guest pays: all of the above, less the discount.")


class Price(GuestPrice):
    """The whole price: what the guest pays, and what the host gets of it."""

    host_fee: Money = Field(description="What Nexus keeps of what the host asks.")
    host_payout: Money = Field(
        description="What the host gets: nights, guests and cleaning, less discount and fee, and `retained`."
    )

    @model_validator(mode="after")
    def adds_up(self) -> Self:
        """A price that does not is a fault of ours, and must not be charged."""
        lines = {name: value.amount for name, value in vars(self).items() if isinstance(value, Money)}
        asked = lines["accommodation"] - lines["length_discount"] + lines["extra_guests"] + lines["cleaning_fee"]
        retained = lines.get("retained", 0)
        currencies = {value.currency for value in vars(self).values() if isinstance(value, Money)}
        exact = (
            lines["accommodation"] == sum(line.price.amount for line in self.nights)
            and lines["total"] == asked + lines["service_fee"] + lines["tax"] + retained
            and lines["host_payout"] == asked - lines["host_fee"] + retained
        )
        if not exact or min(lines.values()) < 0 or currencies != {line.price.currency for line in self.nights}:
            raise ValueError("the lines of a price do not add up")
        return self


class Difference(BaseModel):
    """What a change of a booking costs: one of both is 0."""

    to_pay: Money = Field(description="By the guest, before the change takes place.")
    to_refund: Money = Field(description="To the guest, when the change takes place.")

    @classmethod
    def of(cls, amount: int, currency: str) -> Self:
        """From how much dearer the booking becomes; cheaper, if it is below 0."""
        return cls(
            to_pay=Money(amount=max(amount, 0), currency=currency),
            to_refund=Money(amount=max(-amount, 0), currency=currency),
        )


def price(
    listing: ListingSnapshot, stay: Stay, guests: int, percentages: Percentages, *, at_least: Money | None = None
) -> Price:
    """What the listing asks for this stay now, and what is due on top of it.

    `at_least` is what a guest who changes a stay would not get back of it: the new one does not cost less.
    """
    nights = [_night(listing, night) for night in stay.nights]
    accommodation = sum(line.price.amount for line in nights)
    length_discount = percent_of(accommodation, _discount_percent(listing, stay.length))
    extra_guests = _extra_guest_fee(listing, guests) * stay.length
    cleaning_fee = listing.cleaning_fee.amount
    asked = accommodation - length_discount + extra_guests + cleaning_fee
    service_fee = percent_of(asked, percentages.service_fee)
    tax = percent_of(asked, percentages.tax)
    host_fee = percent_of(asked, percentages.host_fee)
    usual = asked + service_fee + tax
    retained = max(at_least.amount - usual, 0) if at_least else 0

    def money(amount: int) -> Money:
        return Money(amount=amount, currency=listing.price.currency)

    return Price(
        nights=nights,
        accommodation=money(accommodation),
        length_discount=money(length_discount),
        extra_guests=money(extra_guests),
        cleaning_fee=money(cleaning_fee),
        service_fee=money(service_fee),
        tax=money(tax),
        retained=money(retained) if at_least else None,
        total=money(usual + retained),
        host_fee=money(host_fee),
        host_payout=money(asked - host_fee + retained),
    )


def percent_of(amount: int, percent: int) -> int:
    """A share of an amount that is not negative, half a minor unit rounded up."""
    return (amount * percent + 50) // 100


def _night(listing: ListingSnapshot, night: date) -> NightlyPrice:
    special = listing.rates.on(night).price
    return NightlyPrice(night=night, price=special or listing.price, special=special is not None)


def _discount_percent(listing: ListingSnapshot, length: int) -> int:
    reached = [discount for discount in listing.length_discounts if discount.nights <= length]
    return max(reached, key=lambda discount: discount.nights).percent if reached else 0


def _extra_guest_fee(listing: ListingSnapshot, guests: int) -> int:
    """Per night."""
    if listing.included_guests is None or listing.extra_guest_fee is None:
        return 0
    return max(guests - listing.included_guests, 0) * listing.extra_guest_fee.amount
