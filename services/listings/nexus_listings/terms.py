"""The wire shapes of a host's terms: money, times, rates by date, discounts, and what a cancellation costs.

`listings/schemas.py` builds a listing of them. They are strict; what passes goes on in the words of the contract.
"""

import operator
from collections.abc import Callable
from itertools import pairwise
from typing import Annotated, Any, Self

from nexus_contracts.money import Money
from nexus_contracts.rates import CancellationTier, LengthDiscount, Rates, Weekday
from nexus_kit.schemas import Body, LocalDate
from pydantic import (
    AfterValidator,
    BaseModel,
    Field,
    ValidationError,
    ValidationInfo,
    field_validator,
    model_validator,
)
from pydantic_core import InitErrorDetails, PydanticCustomError

CURRENCY = "ETB"
"""All prices are in the marketplace's one currency: only so do they compare, in filters and in sorting."""
MOST_NIGHTS = 365
MOST_MONEY = 10**12
MOST_RULES = 200


def at_least(least: int) -> AfterValidator:
    """Refuse money out of bounds, and money that could not be compared with the other prices."""

    def check(money: Money) -> Money:
        if money.currency != CURRENCY:
            raise ValueError(f"prices are in {CURRENCY}")
        if not least <= money.amount <= MOST_MONEY:
            raise ValueError(f"amount must be between {least} and {MOST_MONEY}")
        return money

    return AfterValidator(check)


def _each(field: str, goes_on: Callable[[Any, Any], bool], *, message: str) -> AfterValidator:
    """Refuse every element whose `field` does not go on from that of the element before."""
    error = PydanticCustomError("value_error", message)

    def check(steps: list[Any]) -> list[Any]:
        wrong = [
            InitErrorDetails(type=error, loc=(place, field), input=getattr(step, field))
            for place, (before, step) in enumerate(pairwise(steps), start=1)
            if not goes_on(getattr(step, field), getattr(before, field))
        ]
        if wrong:  # pydantic adds where the list stands
            raise ValidationError.from_exception_data("steps", wrong)
        return steps

    return AfterValidator(check)


def _rising(field: str) -> AfterValidator:
    return _each(field, operator.gt, message="must be above the one before")


def _falling(field: str) -> AfterValidator:
    return _each(field, operator.lt, message="must be below the one before")


def _told_as(shape: type[BaseModel]) -> AfterValidator:
    """What passed is what the contract calls `shape`: the table and the events hold nothing else."""
    return AfterValidator(lambda body: shape.model_validate(body, from_attributes=True))


Price = Annotated[Money, at_least(1), Field(description="Per night and unit, in minor units.")]
Nights = Annotated[int, Field(strict=True, ge=1, le=MOST_NIGHTS)]
Flag = Annotated[bool, Field(strict=True)]


class RateRuleBody(Body):
    """What is different on the days from `first_night` to `last_night` that are such weekdays.

    What is left out (or null) it does not speak of: another rule, or the listing itself, has the word.
    """

    name: str = Field("", max_length=80, description="For the host's eyes.", examples=["Timkat"])
    first_night: LocalDate | None = Field(None, description="The first day; null: since ever.", examples=["2027-01-17"])
    last_night: LocalDate | None = Field(
        None, description="The last day, included; null: for ever.", examples=["2027-01-20"]
    )
    weekdays: list[Weekday] = Field(
        default_factory=list, max_length=7, description="Only these; none named: all seven.", examples=[[]]
    )
    priority: int = Field(
        0, strict=True, ge=0, le=1000, description="Of rules that speak of the same, the highest has the word."
    )
    price: Price | None = None
    min_nights: Nights | None = Field(None, description="Of a stay that begins on such a day.", examples=[3])
    max_nights: Nights | None = Field(None, description="Of a stay that begins on such a day.", examples=[14])
    closed_to_arrival: Flag | None = Field(None, description="True: no stay begins on such a day. False: one may.")
    closed_to_departure: Flag | None = Field(None, description="True: no stay ends on such a day. False: one may.")

    @field_validator("last_night", "max_nights")
    @classmethod
    def in_order(cls, end: Any, info: ValidationInfo) -> Any:
        """An inverted range speaks of nothing, or lets nobody in."""
        begins = {"last_night": "first_night", "max_nights": "min_nights"}[info.field_name or ""]
        if end is not None and (begin := info.data.get(begins)) is not None and end < begin:
            raise ValueError(f"must be at least {begins}")
        return end

    @field_validator("weekdays")
    @classmethod
    def each_once(cls, weekdays: list[Weekday]) -> list[Weekday]:
        """From Monday on, so that equal sets are equal."""
        return [day for day in Weekday if day in weekdays]

    @model_validator(mode="after")
    def not_silent(self) -> Self:
        """A rule that changes nothing is a mistake of whoever wrote it."""
        terms = (self.price, self.min_nights, self.max_nights, self.closed_to_arrival, self.closed_to_departure)
        if all(term is None for term in terms):
            raise ValueError("says nothing: give a price, a length of stay, or what is closed")
        return self


class RatesBody(Body):
    """All rules of a listing, sent together. Of two with the same priority the one further down has the word."""

    rules: list[RateRuleBody] = Field(max_length=MOST_RULES)


class LengthDiscountBody(Body):
    """So much off the price of all nights, for stays of at least so many."""

    nights: int = Field(
        strict=True, ge=2, le=MOST_NIGHTS, description="For stays of at least so many nights.", examples=[7]
    )
    percent: int = Field(
        strict=True, ge=1, le=95, description="Off the price of all nights; half a minor unit rounds up.", examples=[10]
    )


class CancellationTierBody(Body):
    """One step of a custom cancellation policy."""

    hours_before_check_in: int = Field(
        strict=True, ge=0, le=8760, description="Until so long before check-in ...", examples=[72]
    )
    refund_percent: int = Field(strict=True, ge=0, le=100, description="... so much comes back.", examples=[50])


RatesIn = Annotated[
    RatesBody, _told_as(Rates), Field(description="What is different on some days. Sent as a whole. At first: nothing.")
]
LengthDiscounts = Annotated[
    list[Annotated[LengthDiscountBody, _told_as(LengthDiscount)]],
    _rising("nights"),
    Field(max_length=20, description="By rising nights; of several, the longest that fits counts. At first: none."),
]
CancellationTiers = Annotated[
    list[Annotated[CancellationTierBody, _told_as(CancellationTier)]],
    _falling("hours_before_check_in"),
    _falling("refund_percent"),
    Field(
        max_length=10,
        description="Of a custom policy, and of no other: from the longest notice to the shortest, each giving back"
        " less. After the last one nothing comes back.",
    ),
]
