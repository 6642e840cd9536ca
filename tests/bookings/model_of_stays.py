"""What there is in the model of bookings: promises, payments, changes, stays, and who has which unit of which night.

`model.py` says what happens to them.
"""

from dataclasses import dataclass, field
from datetime import date, timedelta
from fractions import Fraction

CLOSED = ("host", "cancellation")
"""Why nobody has a unit that is not free."""


@dataclass(frozen=True, eq=False)
class Promise:
    """What a quote says of a stay."""

    id: str
    guest: str
    nights: list[date]
    guests: int
    total: int
    shares: dict[str, int]
    """How it is divided: to the host, to us, to the state."""
    percent: int
    """What the terms give back to a guest who cancels now."""
    booking: "Booking | None" = None
    """What it would change."""
    difference: int = 0
    lost: int = 0
    """What the terms of the stay that it would change do not give back any more."""

    def refund(self, paid: int) -> int:
        """What a guest who cancels gets back of it."""
        by_terms = int(Fraction(paid * self.percent, 100) + Fraction(1, 2))
        return min(by_terms, max(paid - self.lost, 0))


@dataclass(eq=False)
class Payment:
    """One page at the provider."""

    id: str
    booking: "Booking"
    change: "Change | None"
    amount: int
    at_bank: str = "pending"
    """What became of it, whether or not we have heard of it: pending, failed, paid, reversed."""
    status: str = "pending"
    charged: int = 0
    refunded: int = 0


@dataclass(eq=False)
class Change:
    """Another stay for a booking."""

    id: str
    booking: "Booking"
    promise: Promise
    status: str = "requested"
    late: bool = False
    """Whether its deadline has passed."""

    @property
    def is_open(self) -> bool:
        """Whether something may still become of it."""
        return self.status in ("requested", "pending_payment")


@dataclass(eq=False)
class Booking:
    """One stay, as it is promised now."""

    id: str
    promise: Promise
    status: str
    late: bool = False
    """Whether its deadline has passed."""
    changes: list[Change] = field(default_factory=list)
    payments: list[Payment] = field(default_factory=list)
    earned: dict[str, int] = field(default_factory=dict)
    """What is left of what was earned with it, after refunds; nothing before it is paid."""
    refund: int | None = None
    story: list[str] = field(default_factory=list)
    """Its timeline."""

    @property
    def change(self) -> Change | None:
        """The open one."""
        return next((change for change in self.changes if change.is_open), None)

    @property
    def kept(self) -> int:
        """What is left of what was paid."""
        return sum(payment.charged - payment.refunded for payment in self.payments)

    @property
    def lost(self) -> int:
        """What its guest would not get back."""
        return self.promise.total - self.promise.refund(self.promise.total)


class Nights:
    """Who has which unit."""

    def __init__(self) -> None:
        self.units = 1
        self.claims: dict[tuple[date, int], str] = {}
        """By night and unit: the id of a booking, or why it is closed."""

    def taken(self, night: date, besides: Booking | None = None) -> int:
        """How many units."""
        others = [claim for (each, _), claim in self.claims.items() if each == night]
        return len(others) - (others.count(besides.id) if besides else 0)

    def free(self, night: date) -> int:
        """What the calendar shows."""
        return max(self.units - self.taken(night), 0)

    def held_by(self, booking: Booking) -> set[date]:
        """Of both stays while a change is open."""
        return {night for (night, _), claim in self.claims.items() if claim == booking.id}

    def close(self, nights: list[date], units: int | None) -> None:
        """The host's blocks of these nights are replaced."""
        for night in nights:
            for unit in [unit for (each, unit), claim in self.claims.items() if each == night and claim in CLOSED]:
                del self.claims[night, unit]
            for _ in range(self.free(night) if units is None else min(units, self.free(night))):
                self._claim(night, "host")

    def _claim(self, night: date, claim: str) -> None:
        lowest = next(unit for unit in range(1, self.units + 1) if (night, unit) not in self.claims)
        self.claims[night, lowest] = claim

    def _take(self, booking: Booking, nights: list[date]) -> None:
        for night in nights:
            if night not in self.held_by(booking):
                self._claim(night, booking.id)

    def _give_up(self, booking: Booking, *, keep: list[date] | None = None, becomes: str | None = None) -> None:
        for place in [place for place, claim in self.claims.items() if claim == booking.id]:
            if becomes:
                self.claims[place] = becomes
            elif place[0] not in (keep or []):
                del self.claims[place]


def days(first: date, count: int) -> list[date]:
    """So many nights from `first` on."""
    return [first + timedelta(days=number) for number in range(count)]
