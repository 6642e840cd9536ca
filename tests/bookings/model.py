"""What bookings, nights and money should be, by the plainest code: `test_state_machine.py` walks beside it.

It knows one listing and its host. A call that the service must refuse raises `Refused` with the code of the problem.
"""

from collections import Counter
from datetime import date
from fractions import Fraction

from tests.bookings.model_of_stays import Booking, Change, Nights, Payment, Promise

LIVE = ("requested", "pending_payment", "confirmed")
"""States that hold their nights."""


class Refused(Exception):
    """With the problem's code."""


class Money(Nights):
    """And who has paid what, and what became of it."""

    def __init__(self) -> None:
        super().__init__()
        self.bookings: list[Booking] = []
        self.paid_out = 0

    def due(self, booking: Booking) -> tuple[int, Change | None]:
        """What a guest is asked for now: the price or, to change it, the difference."""
        if booking.status == "pending_payment" and not booking.late:
            return booking.promise.total, None
        change = booking.change
        if change and change.status == "pending_payment" and not change.late:
            return change.promise.difference, change
        raise Refused("not_payable")

    def page(self, booking: Booking) -> Payment | None:
        """The one to which the guest is sent again."""
        _, change = self.due(booking)
        pending = [each for each in booking.payments if (each.status, each.change) == ("pending", change)]
        return pending[-1] if pending else None

    def hear(self, payment: Payment) -> None:
        """We ask the bank, which has whatever it has."""
        if payment.charged:
            if payment.at_bank == "reversed" and payment.status == "succeeded":
                self._take_back(payment)
        elif payment.at_bank == "paid":
            payment.status, payment.charged = "succeeded", payment.amount
            if not self._buys(payment):
                self._return(payment, payment.charged)
        elif payment.at_bank != "pending":
            payment.status = "failed"

    def _buys(self, payment: Payment) -> bool:
        """In time, or late while the nights are free. A change that comes too late is not made: there is a stay."""
        booking, change = payment.booking, payment.change
        if change:
            if change.status != "pending_payment" or change.late:
                return False
            self._apply(change)
            return True
        if booking.status == "expired" and all(map(self.free, booking.promise.nights)):
            self._take(booking, booking.promise.nights)
        elif booking.status != "pending_payment":
            return False
        booking.status, booking.late, booking.earned = "confirmed", False, dict(booking.promise.shares)
        booking.story.append("confirmed")
        return True

    def _apply(self, change: Change) -> None:
        """The booking is the new stay: nights, price, shares; what it costs less goes back, newest payment first."""
        booking, change.status = change.booking, "applied"
        booking.promise, booking.earned = change.promise, dict(change.promise.shares)
        self._give_up(booking, keep=booking.promise.nights)
        for payment, part in self._parts(booking, max(-change.promise.difference, 0)):
            self._return(payment, part)
        booking.story.append("changed")

    def _give_back(self, booking: Booking, amount: int) -> None:
        """From everybody who earned of it in proportion."""
        for payment, part in self._parts(booking, amount):
            self._return(payment, part)
            self._unearn(booking, part)

    def _parts(self, booking: Booking, amount: int) -> list[tuple[Payment, int]]:
        """From the newest payment first."""
        parts = []
        for payment in reversed(booking.payments):
            part = min(amount, payment.charged - payment.refunded)
            amount -= part
            if part:
                parts.append((payment, part))
        assert amount == 0, "more than was paid"
        return parts

    def _take_back(self, payment: Payment) -> None:
        """The bank takes what is left. A stay that is ahead is called off, and the other payments go back, too."""
        booking, left = payment.booking, payment.charged - payment.refunded
        self._return(payment, left)
        if booking.status == "confirmed":
            rest = booking.kept
            self._give_back(booking, rest)
            self._unearn(booking, left)
            booking.refund = left + rest
            self._end(booking, "cancelled")

    def _end(self, booking: Booking, status: str, leaves: str | None = None) -> None:
        booking.status, booking.late = status, False
        booking.story.append(status)
        if status == "cancelled" and booking.change:
            booking.change.status = "cancelled"
            self._give_up(booking, keep=booking.promise.nights)
        self._give_up(booking, becomes=leaves)

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


class Model(Money):
    """And what people and time do."""

    def __init__(self) -> None:
        super().__init__()
        self.instant_book = True
        self.used: set[str] = set()
        """Quotes."""

    # ---------------------------------------------------------------------------------------------- bookings

    def refuse_quote(self, nights: list[date], guests: int, booking: Booking | None = None) -> None:
        """Every night needs a unit; a booking's own nights do not count against it."""
        if booking and booking.status != "confirmed":
            raise Refused("not_changeable")
        if booking and (nights, guests) == (booking.promise.nights, booking.promise.guests):
            raise Refused("nothing_changes")
        if any(self.taken(night, besides=booking) >= self.units for night in nights):
            raise Refused("dates_unavailable")

    def refuse_booking(self, promise: Promise) -> None:
        """A quote is booked once, and only as long as its nights are free."""
        if promise.id in self.used:
            raise Refused("quote_used")
        if not all(map(self.free, promise.nights)):
            raise Refused("dates_unavailable")

    def book(self, booking_id: str, promise: Promise) -> Booking:
        """It holds its nights from now on."""
        self.used.add(promise.id)
        booking = Booking(booking_id, promise, "pending_payment" if self.instant_book else "requested")
        booking.story.append("held" if self.instant_book else "requested")
        self._take(booking, promise.nights)
        self.bookings.append(booking)
        return booking

    def accept(self, booking: Booking) -> None:
        """By the host."""
        self._awaits_answer(booking)
        booking.status = "pending_payment"
        booking.story.append("accepted")

    def decline(self, booking: Booking) -> None:
        """By the host."""
        self._awaits_answer(booking)
        self._end(booking, "declined")

    def cancel(self, booking: Booking, *, by_host: bool) -> None:
        """Either party: what the terms give back of what was paid goes back."""
        if booking.status not in LIVE:
            raise Refused("illegal_transition")
        booking.refund = booking.kept if by_host else booking.promise.refund(booking.kept)
        self._give_back(booking, booking.refund)
        self._end(booking, "cancelled", leaves="cancellation" if by_host else None)

    def complete(self, booking: Booking) -> None:
        """The stay is over."""
        self._end(booking, "completed")

    def sweep(self) -> None:
        """What is late is over."""
        for booking in self.bookings:
            if booking.late:
                self._end(booking, "expired")
            if booking.change and booking.change.late:
                self._end_change(booking.change, "expired")

    # ---------------------------------------------------------------------------------------------- changes

    def refuse_change(self, promise: Promise) -> None:
        """One at a time, of a stay that costs what the quote compared with, to nights that are its own or free."""
        booking = promise.booking
        assert booking
        late = booking.change if booking.change and booking.change.late else None
        if booking.status != "confirmed":
            raise Refused("not_changeable")
        if promise.id in self.used:
            raise Refused("quote_used")
        if booking.change and not late:
            raise Refused("change_open")
        if promise.total - booking.promise.total != promise.difference:
            raise Refused("quote_expired")
        own = set(booking.promise.nights)  # what only the late change would have is free by now
        if any(self.taken(night, besides=booking) >= self.units for night in promise.nights if night not in own):
            raise Refused("dates_unavailable")

    def change(self, change_id: str, promise: Promise) -> Change:
        """The nights of both stays are held, until it is made or not."""
        booking = promise.booking
        assert booking
        self.used.add(promise.id)
        if booking.change:
            self._end_change(booking.change, "expired")
        change = Change(change_id, booking, promise)
        booking.changes.append(change)
        self._take(booking, promise.nights)
        if self.instant_book:
            self._agree(change)
        else:
            booking.story.append("change_requested")
        return change

    def accept_change(self, change: Change) -> None:
        """By the host."""
        self._awaits_answer(change)
        self._agree(change)

    def decline_change(self, change: Change) -> None:
        """By the host."""
        self._awaits_answer(change)
        self._end_change(change, "declined")

    def _agree(self, change: Change) -> None:
        if change.promise.difference <= 0:
            self._apply(change)
        else:
            change.status = "pending_payment"
            change.booking.story.append("change_held")

    def _end_change(self, change: Change, status: str) -> None:
        """The booking stands as it was."""
        change.status = status
        change.booking.story.append(f"change_{status}")
        self._give_up(change.booking, keep=change.booking.promise.nights)

    def _awaits_answer(self, asked: Booking | Change) -> None:
        if asked.status != "requested" or asked.late:
            raise Refused("illegal_transition")
