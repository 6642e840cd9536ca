"""The steps of a walk that a listing, its bookings and their money take; `walking_changes.py` adds those of changes."""

from random import Random
from uuid import UUID, uuid4

from hypothesis import strategies as st
from hypothesis.stateful import initialize
from nexus_bookings import timers
from nexus_contracts.listings import ListingUpdated
from nexus_kit.testing import signed_in

from tests.bookings.given import birr, nights_from, succeeded
from tests.bookings.model import LIVE
from tests.bookings.model_of_stays import Booking, Change, days
from tests.bookings.walking import GUESTS, POLICIES, Walk, pick, rarely


class BookingSteps(Walk):
    """All but changes."""

    # ---------------------------------------------------------------------------------------------- the listing

    @initialize(units=st.integers(1, 3), percent=st.sampled_from(sorted(POLICIES)))
    def publish(self, units: int, percent: int) -> None:
        self.model.units, self.percent = units, percent
        self.listing = self.run(self.house.listing(units=units, **POLICIES[percent]))
        account = {"account_name": "Hana Alemu", "account_number": "1000123456789", "bank_code": 946}
        succeeded(self.run(self.house.client.put("/api/v1/payouts/account", json=account, headers=self.host)))

    def change_listing(self, chance: Random) -> None:
        """Its terms are those of later quotes, its units those of all."""
        assert self.listing
        self.model.units, self.model.instant_book = chance.randint(1, 3), rarely(chance) or rarely(chance)
        self.percent = chance.choice(list(POLICIES))
        new = {"units": self.model.units, "instant_book": self.model.instant_book, **POLICIES[self.percent]}
        new |= {"version": self.listing.version + 1, "price": birr(chance.randint(1, 10**6))}
        self.listing = self.listing.model_copy(update=new)
        self.run(self.house.deliver(ListingUpdated(listing_id=self.listing.id, listing=self.listing)))

    def close(self, chance: Random) -> None:
        assert self.listing
        first, length = self.any_stay(chance)
        units = chance.choice([None, 0, 0, 1, 2, 3])
        nights, url = days(self.night(first), length), f"/api/v1/availability/{self.listing.id}/blocks"
        period = dict(zip(("from", "to"), nights_from(nights[0], length).values(), strict=True))
        if units == 0:
            answer = self.run(self.house.client.delete(url, params=period, headers=self.host))
        else:
            answer = self.run(self.house.client.put(url, json={**period, "units": units}, headers=self.host))

        self.agree("close", answer, lambda: self.model.close(nights, units))

    # ---------------------------------------------------------------------------------------------- bookings

    def quote(self, chance: Random) -> None:
        stay = self.any_stay(chance) if rarely(chance) else pick(chance, self.free_stays())
        self.ask_quote(chance.choice(GUESTS), *stay, guests=2)

    def book(self, chance: Random) -> None:
        promise = pick(chance, self.promised(of_changes=False, used=rarely(chance)))
        answer = self.run(self.house.ask_booking(promise.id, UUID(promise.guest)))

        if self.agree("book", answer, lambda: self.model.refuse_booking(promise)):
            booking = self.model.book(answer.json()["id"], promise)
            assert answer.json()["status"] == booking.status

    def sell(self, chance: Random) -> None:
        """Quote, book, accept, pay: without anything in between."""
        promise = self.ask_quote(chance.choice(GUESTS), *pick(chance, self.free_stays()), guests=2)
        assert promise
        booked = succeeded(self.run(self.house.ask_booking(promise.id, UUID(promise.guest))))
        booking = self.model.book(booked["id"], promise)
        if booking.status == "requested":
            self.answer_booking(booking, "accept")
        self.open_page_and_pay(booking)

    def answer(self, chance: Random) -> None:
        asked = self.model.bookings if rarely(chance) else self.in_state("requested")
        self.answer_booking(pick(chance, asked), chance.choice(["accept", "decline"]))

    def answer_booking(self, booking: Booking, verb: str) -> None:
        answer = self.act(booking, verb, by_host=True)

        self.agree(verb, answer, lambda: getattr(self.model, verb)(booking))

    def cancel(self, chance: Random) -> None:
        live = self.in_state(*LIVE)
        booking = pick(chance, chance.choice([self.model.bookings, live, [each for each in live if each.change]]))
        by_host = rarely(chance)
        what = f"cancel while {booking.change.status}" if booking.change else "cancel"
        answer = self.act(booking, "cancel", by_host=by_host)

        if self.agree(what, answer, lambda: self.model.cancel(booking, by_host=by_host)):
            assert answer.json()["refund"]["amount"] == booking.refund
            self.run(self.refunds_are_done())

    # ---------------------------------------------------------------------------------------------- time

    def let_a_deadline_pass(self, chance: Random) -> None:
        """Of a booking or a change; somebody comes by to tidy up, or not yet."""
        waiting: list[Booking | Change] = [*self.in_state(*LIVE[:2]), *self.changes(*LIVE[:2])]
        self.let_pass(pick(chance, waiting))
        if chance.random() < 0.5:
            self.run(timers.expire_overdue(self.runtime))
            self.run(timers.expire_changes(self.runtime))
            self.model.sweep()

    def complete(self, chance: Random) -> None:
        """A change's deadline is before the stay; whether anybody has tidied up by then is another matter."""
        booking = pick(chance, self.in_state("confirmed"))
        if booking.change:
            self.let_pass(booking.change)
        self.run(self.house.execute("UPDATE bookings SET ends_at = now() WHERE id = :id", id=UUID(booking.id)))
        self.run(timers.complete_past(self.runtime))
        self.model.complete(booking)

    def let_pass(self, waiting: Booking | Change) -> None:
        table = "bookings" if isinstance(waiting, Booking) else "booking_changes"
        late = f"UPDATE {table} SET expires_at = now() - interval '1 second' WHERE id = :id"  # noqa: S608 - one of two
        self.run(self.house.execute(late, id=UUID(waiting.id)))
        waiting.late = True

    # ---------------------------------------------------------------------------------------------- money

    def open_page(self, chance: Random) -> None:
        payable = [*self.in_state("pending_payment"), *(each.booking for each in self.changes("pending_payment"))]
        self.open_page_of(pick(chance, self.model.bookings if rarely(chance) else payable))

    def pay(self, chance: Random) -> None:
        """Also long after the hold is over, or on a page whose payment failed before; heard of at once, or not."""
        unsettled = self.payments("pending", "failed")
        awaited = [each for each in unsettled if (each.change or each.booking).status == "pending_payment"]
        payment = pick(chance, unsettled if rarely(chance) else awaited)
        self.press(payment, "fail" if payment.at_bank == "pending" and rarely(chance) else "pay")
        if rarely(chance):
            self.hear(payment)

    def hear_of(self, chance: Random) -> None:
        """Late, again, or of nothing."""
        unheard = [payment for payment in self.payments("paid", "failed") if payment.status == "pending"]
        payment = pick(chance, self.payments() if rarely(chance) else unheard)
        before = payment.status
        self.hear(payment)
        self.seen[f"hear: {before} is {payment.status}"] += 1

    def take_back(self, chance: Random) -> None:
        payment = pick(chance, [payment for payment in self.payments("paid") if payment.status == "succeeded"])
        self.press(payment, "return/reverse")
        self.hear(payment)

    def pay_out(self, chance: Random) -> None:
        pick(chance, self.in_state("completed", "cancelled"))
        assert self.listing
        headers = {**signed_in(roles=("user", "admin")), "Idempotency-Key": str(uuid4())}
        body = {"host_id": str(self.listing.host_id)}
        answer = self.run(self.house.client.post("/api/v1/payouts", json=body, headers=headers))

        if self.agree("pay out", answer, self.model.pay_out):
            self.run(self.payouts_are_done())
