"""A listing's terms by date: what a night costs, and which stays its host accepts.

The host keeps them in listings, events carry them in the snapshot, bookings prices and refuses stays by them. How they
are read is part of the contract, so that a search and a quote cannot disagree: `Rates.on` is the one definition.
"""

from collections.abc import Iterable
from datetime import date
from enum import StrEnum
from typing import TypeVar

from pydantic import BaseModel, ConfigDict, Field

from nexus_contracts.money import Money

T = TypeVar("T")


class Weekday(StrEnum):
    """A day of the week where the listing is. A night belongs to the day on which it begins."""

    MONDAY = "monday"
    TUESDAY = "tuesday"
    WEDNESDAY = "wednesday"
    THURSDAY = "thursday"
    FRIDAY = "friday"
    SATURDAY = "saturday"
    SUNDAY = "sunday"

    @classmethod
    def of(cls, day: date) -> "Weekday":
        """The weekday of a date."""
        return tuple(cls)[day.weekday()]


class RateRule(BaseModel):
    """What is different on some days. It speaks of the days from `first_night` to `last_night` on these weekdays.

    What it leaves out (null) it does not speak of: another rule, or the listing itself, has the word.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")

    name: str = Field(default="", description="For the host's eyes.", examples=["Timkat"])
    first_night: date | None = Field(default=None, description="The first day; null: since ever.")
    last_night: date | None = Field(default=None, description="The last day, included; null: for ever.")
    weekdays: tuple[Weekday, ...] = Field(default=(), description="Only these; none named: all seven.")
    priority: int = Field(default=0, description="Of rules that speak of the same, the highest has the word.")
    price: Money | None = Field(default=None, description="Per night and unit.")
    min_nights: int | None = Field(default=None, description="Of a stay that begins on such a day.")
    max_nights: int | None = Field(default=None, description="Of a stay that begins on such a day.")
    closed_to_arrival: bool | None = Field(default=None, description="True: no stay begins on such a day.")
    closed_to_departure: bool | None = Field(default=None, description="True: no stay ends on such a day.")

    def speaks_of(self, day: date) -> bool:
        """Whether the rule is about this day."""
        return (
            (self.first_night is None or self.first_night <= day)
            and (self.last_night is None or day <= self.last_night)
            and (not self.weekdays or Weekday.of(day) in self.weekdays)
        )


class DayTerms(BaseModel):
    """What holds on one day, once all rules are heard; null: the listing's own value."""

    model_config = ConfigDict(frozen=True)

    price: Money | None = None
    min_nights: int | None = None
    max_nights: int | None = None
    closed_to_arrival: bool = False
    closed_to_departure: bool = False


class Rates(BaseModel):
    """All rules of a listing. Of two with the same priority the one further down the list has the word."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    rules: tuple[RateRule, ...] = ()

    def on(self, day: date) -> DayTerms:
        """What holds on this day: each term from the strongest rule that speaks of the day and of that term."""
        # sorted() is stable: of equals, the later stays later, and the last one wins.
        heard = sorted((rule for rule in self.rules if rule.speaks_of(day)), key=lambda rule: rule.priority)
        return DayTerms(
            price=_last(rule.price for rule in heard),
            min_nights=_last(rule.min_nights for rule in heard),
            max_nights=_last(rule.max_nights for rule in heard),
            closed_to_arrival=_last(rule.closed_to_arrival for rule in heard) or False,
            closed_to_departure=_last(rule.closed_to_departure for rule in heard) or False,
        )


class LengthDiscount(BaseModel):
    """So much off the price of all nights, for stays of at least so many. Of several, the longest that fits counts."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    nights: int = Field(description="For stays of at least so many nights.", examples=[7])
    percent: int = Field(description="Off the price of all nights; half a minor unit rounds up.", examples=[10])


class CancellationTier(BaseModel):
    """One step of a custom cancellation policy."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    hours_before_check_in: int = Field(description="Until so long before check-in ...", examples=[72])
    refund_percent: int = Field(description="... so much comes back.", examples=[50])


def _last(values: Iterable[T | None]) -> T | None:
    found = None
    for value in values:
        found = found if value is None else value
    return found
