"""What bookings, nights and money should be, by the plainest code: `test_state_machine.py` walks beside it.

It knows one listing and its host. A call that the service must refuse raises `Refused` with the code of the problem.
"""

from collections import Counter
from dataclasses import dataclass, field
from datetime import date, timedelta
from fractions import Fraction

LIVE = ("requested", "pending_payment", "confirmed")
"""States that hold their nights."""


class Refused(Exception):
    """With the problem's code."""


@dataclass
class Payment:
    """One page at the provider."""

    id: str
    booking: "Booking"
    status: str = "pending"
    charged: int = 0
    refunded: int = 0


@dataclass
class Booking:
    """One stay."""

    id: str
    guest: str
    nights: list[date]
    status: str
    total: int
    shares: dict[str, int]
    """How a payment is divided: to the host, to us, to the state."""
    refund_percent: int
    """What the terms give back to a guest now."""
    earned: dict[str, int] = field(default_factory=dict)
    """What is left of it after refunds; nothing before it is paid."""
    refund: int | None = None
    payments: list[Payment] = field(default_factory=list)

    @property
    def open_payment(self) -> Payment | None:
        """The page that a guest is sent to again."""
        return next((payment for payment in reversed(self.payments) if payment.status == "pending"), None)

    @property
    def kept(self) -> int:
        """What is left of what was paid."""
        return sum(payment.charged - payment.refunded for payment in self.payments)


@dataclass
class Model:
    """Everything."""

    units: int = 1
    instant_book: bool = True
    claims: dict[tuple[date, int], str] = field(default_factory=dict)
    """By night and unit: the id of a booking, or why it is closed."""
    bookings: list[Booking] = field(default_factory=list)
    paid_out: int = 0

    # ---------------------------------------------------------------------------------------------- nights

    def taken(self, night: date) -> int:
        """How many units."""
        return sum(1 for each, _ in self.claims if each == night)

    def free(self, night: date) -> int:
        """What the calendar shows."""
        return max(self.units - self.taken(night), 0)

    def refuse_sold_out(self, nights: list[date]) -> None:
        """Every night needs a unit."""
        if not all(self.free(night) for night in nights):
            raise Refused("dates_unavailable")

    def close(self, nights: list[date], units: int | None) -> None:
        """The host's blocks of these nights are replaced."""
        for night in nights:
            for unit in self._units_of(night, "host", "cancellation"):
                del self.claims[night, unit]
            for _ in range(self.free(night) if units is None else min(units, self.free(night))):
                self._claim(night, "host")

    def _claim(self, night: date, claim: str) -> None:
        lowest = next(unit for unit in range(1, self.units + 1) if (night, unit) not in self.claims)
        self.claims[night, lowest] = claim

    def _units_of(self, night: date, *claims: str) -> list[int]:
        return [unit for (each, unit), claim in self.claims.items() if each == night and claim in claims]

    def _give_up(self, booking: Booking, becomes: str | None = None) -> None:
        for place in [place for place, claim in self.claims.items() if claim == booking.id]:
            if becomes:
                self.claims[place] = becomes
            else:
                del self.claims[place]

    # ---------------------------------------------------------------------------------------------- moves

    @property
    def status_when_booked(self) -> str:
        """Whether the host is asked."""
        return "pending_payment" if self.instant_book else "requested"

    def refuse_booking(self, quote_id: str, used: set[str], nights: list[date]) -> None:
        """A quote is booked once, and only as long as its nights are free."""
        if quote_id in used:
            raise Refused("quote_used")
        self.refuse_sold_out(nights)

    def book(self, booking: Booking) -> None:
        """It holds its nights from now on."""
        for night in booking.nights:
            self._claim(night, booking.id)
        self.bookings.append(booking)

    def accept(self, booking: Booking) -> None:
        """By the host."""
        self._must_be(booking, "requested")
        booking.status = "pending_payment"

    def decline(self, booking: Booking) -> None:
        """By the host."""
        self._must_be(booking, "requested")
        self._end(booking, "declined")

    def expire(self, booking: Booking) -> None:
        """Its time is up."""
        self._end(booking, "expired")

    def complete(self, booking: Booking) -> None:
        """The stay is over."""
        self._end(booking, "completed")

    def cancel(self, booking: Booking, *, by_host: bool) -> None:
        """Either party: what the terms give back of what was paid goes back."""
        self._must_be(booking, *LIVE)
        percent = 100 if by_host else booking.refund_percent
        booking.refund = int(Fraction(booking.kept * percent, 100) + Fraction(1, 2))
        self.give_back(booking, booking.refund)
        self._end(booking, "cancelled", leaves="cancellation" if by_host else None)

    def _must_be(self, booking: Booking, *statuses: str) -> None:
        if booking.status not in statuses:
            raise Refused("illegal_transition")

    def _end(self, booking: Booking, status: str, leaves: str | None = None) -> None:
        booking.status = status
        self._give_up(booking, leaves)

    # ---------------------------------------------------------------------------------------------- money

    def refuse_payment(self, booking: Booking) -> None:
        """Only what waits for it is paid."""
        if booking.status != "pending_payment":
            raise Refused("not_payable")

    def fail(self, payment: Payment) -> None:
        """The bank says no. The guest may try again on the same page."""
        payment.status = "failed"

    def pay(self, payment: Payment) -> None:
        """The money arrives, in time, or late while the nights are free; otherwise it goes back."""
        booking = payment.booking
        payment.status, payment.charged = "succeeded", booking.total
        if booking.status == "expired" and all(map(self.free, booking.nights)):
            for night in booking.nights:
                self._claim(night, booking.id)
        elif booking.status != "pending_payment":
            payment.status, payment.refunded = "refunded", payment.charged
            return
        booking.status, booking.earned = "confirmed", dict(booking.shares)

    def give_back(self, booking: Booking, amount: int) -> None:
        """From the payment that bought the stay, and from everybody who earned of it in proportion."""
        if amount > booking.kept:
            raise Refused("more than was paid")
        for payment in booking.payments:
            part = min(amount, payment.charged - payment.refunded)
            self._return(payment, part)
        self._unearn(booking, amount)

    def take_back(self, payment: Payment) -> None:
        """The bank takes what is left; a stay that is ahead is called off."""
        booking, left = payment.booking, payment.charged - payment.refunded
        self._return(payment, left)
        if booking.status == "confirmed":
            self._unearn(booking, left)
            booking.refund = left
            self._end(booking, "cancelled")

    def pay_out(self) -> int:
        """All that the host has available."""
        if self.available <= 0:
            raise Refused("nothing_to_pay_out")
        amount = self.available
        self.paid_out += amount
        return amount

    @property
    def pending(self) -> int:
        """What the host has earned with stays that are ahead."""
        return sum(booking.earned.get("host", 0) for booking in self.bookings if booking.status == "confirmed")

    @property
    def available(self) -> int:
        """What is left to the host of the others."""
        return sum(booking.earned.get("host", 0) for booking in self.bookings) - self.pending - self.paid_out

    def _return(self, payment: Payment, amount: int) -> None:
        payment.refunded += amount
        if amount and payment.refunded == payment.charged:
            payment.status = "refunded"

    def _unearn(self, booking: Booking, amount: int) -> None:
        """Largest remainders: whole units in proportion, those left over to the largest fractions."""
        whole = sum(booking.earned.values())
        exact = {name: Fraction(amount * share, whole) for name, share in booking.earned.items()} if amount else {}
        parts = Counter({name: int(part) for name, part in exact.items()})
        by_fraction = sorted(exact, key=lambda name: exact[name] - int(exact[name]), reverse=True)
        parts.update(by_fraction[: amount - parts.total()])
        booking.earned = {name: share - parts[name] for name, share in booking.earned.items()}


def days(first: date, count: int) -> list[date]:
    """So many nights from `first` on."""
    return [first + timedelta(days=number) for number in range(count)]
