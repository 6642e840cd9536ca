"""A stay: nights as local dates of the listing's zone, and the instants that follow from them.

Quotes, bookings and nights count with it, so a date becomes an instant in this file only.
"""

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

CHECK_IN_TIME = time(15)
"""Local time at which a stay begins."""
CHECK_OUT_TIME = time(11)
"""Local time at which it is over."""

MOST_NIGHTS = 365
MOST_DAYS_AHEAD = 540


@dataclass(frozen=True)
class Stay:
    """The nights of `[check_in, check_out)`, dates in `timezone` (an IANA name)."""

    check_in: date
    check_out: date
    timezone: str

    @property
    def length(self) -> int:
        """How many nights."""
        return (self.check_out - self.check_in).days

    @property
    def nights(self) -> list[date]:
        """Every night, in order."""
        return [self.check_in + timedelta(days=day) for day in range(self.length)]

    @property
    def today(self) -> date:
        """The date it is where the listing is."""
        return datetime.now(ZoneInfo(self.timezone)).date()

    @property
    def begins_at(self) -> datetime:
        """The instant of check-in."""
        return self._instant(self.check_in, CHECK_IN_TIME)

    @property
    def ends_at(self) -> datetime:
        """The instant of check-out."""
        return self._instant(self.check_out, CHECK_OUT_TIME)

    def _instant(self, day: date, at: time) -> datetime:
        return datetime.combine(day, at, ZoneInfo(self.timezone)).astimezone(UTC)
