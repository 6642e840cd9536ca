"""A stay: nights as local dates of the listing's zone, and the instants that follow from them.

Quotes, bookings and nights count with it, so a date becomes an instant in this file only.
"""

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Self
from zoneinfo import ZoneInfo

from nexus_contracts.listings import ListingSnapshot

MOST_NIGHTS = 365
"""Whatever a host allows: the lines of a price are kept in one document."""
MOST_DAYS_AHEAD = 730
"""The farthest day on which a stay may begin: no host's booking window is longer."""


@dataclass(frozen=True)
class Stay:
    """The nights of `[check_in, check_out)`: dates in `timezone` (an IANA name), with local times of that zone."""

    check_in: date
    check_out: date
    timezone: str
    check_in_time: time
    check_out_time: time

    @classmethod
    def at(cls, listing: ListingSnapshot, check_in: date, check_out: date) -> Self:
        """A stay by the hours that the listing keeps now."""
        return cls(check_in, check_out, listing.timezone, listing.check_in_time, listing.check_out_time)

    @property
    def length(self) -> int:
        """How many nights."""
        return (self.check_out - self.check_in).days

    @property
    def nights(self) -> list[date]:
        """Every night, in order."""
        return nights_between(self.check_in, self.check_out)

    @property
    def begins_at(self) -> datetime:
        """The instant of check-in."""
        return self.check_in_hour(days_before=0)

    @property
    def ends_at(self) -> datetime:
        """The instant of check-out."""
        return instant(self.check_out, self.check_out_time, self.timezone)

    def check_in_hour(self, *, days_before: int) -> datetime:
        """The instant at which the clock showed the hour of check-in so many days earlier: 23 to 25 hours are a day."""
        return instant(self.check_in - timedelta(days=days_before), self.check_in_time, self.timezone)


def instant(day: date, at: time, timezone: str) -> datetime:
    """When a local clock shows this time, in UTC.

    Where clocks are put back, a time comes twice: it is the first. Where they are put forward, a time is left out: it
    is as much later as the clocks were put forward, so 02:30 is when they show 03:30.
    """
    return datetime.combine(day, at.replace(fold=0), ZoneInfo(timezone)).astimezone(UTC)


def today(timezone: str) -> date:
    """The date it is there."""
    return datetime.now(ZoneInfo(timezone)).date()


def nights_between(first: date, end: date) -> list[date]:
    """Every night of `[first, end)`, in order."""
    return [first + timedelta(days=day) for day in range((end - first).days)]
