"""The steps of a walk that change a confirmed booking: asked, answered, paid, too late, and overtaken by others."""

from random import Random

from tests.bookings import changing
from tests.bookings.model_of_stays import Change, Promise
from tests.bookings.walking import pick, rarely
from tests.bookings.walking_bookings import BookingSteps


class ChangeSteps(BookingSteps):
    """And changes."""

    steps = {
        "change_listing": 2,
        "close": 2,
        "quote": 4,
        "book": 5,
        "sell": 4,
        "answer": 1,
        "cancel": 3,
        "let_a_deadline_pass": 3,
        "complete": 1,
        "open_page": 3,
        "pay": 4,
        "hear_of": 4,
        "take_back": 1,
        "pay_out": 1,
        "quote_a_change": 4,
        "ask_for_a_change": 4,
        "quote_and_change": 5,
        "answer_a_change": 2,
        "pay_the_difference": 3,
    }

    def quote_a_change(self, chance: Random) -> None:
        booking = pick(chance, self.model.bookings if rarely(chance) else self.in_state("confirmed"))
        self.ask_quote(booking.promise.guest, *self.any_stay(chance), chance.randint(1, 2), booking)

    def ask_for_a_change(self, chance: Random) -> None:
        """By a quote that may be of another day: the booking may have changed since, or be over."""
        quoted = self.promised(of_changes=True, used=rarely(chance))
        confirmed = [each for each in quoted if each.booking in self.in_state("confirmed") and not each.booking.change]
        self.change(pick(chance, quoted if rarely(chance) else confirmed))

    def quote_and_change(self, chance: Random) -> None:
        confirmed = self.in_state("confirmed")
        booking = pick(chance, confirmed if rarely(chance) else [each for each in confirmed if not each.change])
        stay = pick(chance, self.free_stays(booking))
        if promise := self.ask_quote(booking.promise.guest, *stay, chance.randint(1, 2), booking):
            self.change(promise)

    def change(self, promise: Promise) -> None:
        booking = promise.booking
        assert booking
        asked = changing.ask(self.house, {"id": booking.id, "guest_id": promise.guest}, {"id": promise.id})
        answer = self.run(asked)

        if self.agree("change", answer, lambda: self.model.refuse_change(promise)):
            found = answer.json()
            change = self.model.change(found["id"], promise)
            assert (found["status"], found["total"]["amount"]) == (change.status, promise.total)
            self.seen[f"change: {change.status}"] += 1
            self.run(self.refunds_are_done())

    def answer_a_change(self, chance: Random) -> None:
        change = pick(chance, self.changes() if rarely(chance) else self.changes("requested"))
        self.answer_change(change, chance.choice(["accept", "decline"]))

    def answer_change(self, change: Change, verb: str) -> None:
        assert self.listing
        wire = {"id": change.id, "booking_id": change.booking.id}
        answer = self.run(changing.answer(self.house, wire, verb, self.listing.host_id))

        if self.agree(f"{verb} change", answer, lambda: getattr(self.model, f"{verb}_change")(change)):
            assert answer.json()["status"] == change.status
            self.run(self.refunds_are_done())

    def pay_the_difference(self, chance: Random) -> None:
        """As soon as it is asked for, or when it no longer is."""
        change = pick(chance, self.changes("requested", "pending_payment"))
        if change.status == "requested" and not change.late:
            self.answer_change(change, "accept")
        self.open_page_and_pay(change.booking)
        self.seen[f"difference: {change.status}"] += 1
