"""Any order of what guests, hosts, the clock and the provider can do: nights and money are what a small model says.

Through the API, with the payment simulator; `model.py` is the model. After every step no night of a unit is in two live
bookings, the ledger sums to zero, and nobody is charged or refunded more than they should be.
"""

import asyncio
from collections.abc import Callable, Coroutine
from datetime import date
from typing import Any, TypeVar
from uuid import UUID, uuid4

import httpx
import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)
from nexus_bookings import timers
from nexus_bookings.bookings import service as bookings
from nexus_bookings.payouts import service as payouts
from nexus_bookings.refunds import service as refunds
from nexus_bookings.settlement import service as settlement
from nexus_contracts.listings import CancellationPolicy, ListingSnapshot, ListingUpdated
from nexus_contracts.rates import CancellationTier
from nexus_kit.testing import signed_in

from tests.bookings.books import audit
from tests.bookings.given import ARRIVAL, House, Json, birr, eventually, nights_from, succeeded
from tests.bookings.model import LIVE, Booking, Model, Payment, Refused, days

T = TypeVar("T")

CALENDAR = 6
"""Nights that all bookings are about, so that they meet."""
GUESTS = [str(UUID(int=number)) for number in range(1, 4)]
POLICIES: dict[int, dict[str, Any]] = {
    100: {"cancellation_policy": CancellationPolicy.FLEXIBLE},
    33: {
        "cancellation_policy": CancellationPolicy.CUSTOM,
        "cancellation_tiers": (CancellationTier(hours_before_check_in=24, refund_percent=33),),
    },
    0: {
        "cancellation_policy": CancellationPolicy.CUSTOM,
        "cancellation_tiers": (CancellationTier(hours_before_check_in=8760, refund_percent=90),),
    },
}
"""By what a guest who cancels a month ahead gets back."""

which = st.integers(0, 4)
"""From the newest back, of those that there are."""
firsts, lengths = st.integers(0, CALENDAR - 1), st.integers(1, 3)

ROWS = """SELECT jsonb_build_object(
    'nights', (SELECT coalesce(jsonb_agg(jsonb_build_array(night, unit, coalesce(closed_by, booking_id::text))), '[]')
                 FROM nights WHERE listing_id = :listing),
    'bookings', (SELECT coalesce(jsonb_agg(jsonb_build_array(id, status, total_amount, refund_amount)), '[]')
                   FROM bookings WHERE listing_id = :listing),
    'payments', (SELECT coalesce(jsonb_agg(jsonb_build_array(
                            p.id, p.status, coalesce(p.charged_amount, 0), p.refunded_amount)), '[]')
                   FROM payments p JOIN bookings b ON b.id = p.booking_id WHERE listing_id = :listing),
    'ledger', (SELECT coalesce(sum(amount), 0) FROM ledger_entries))"""


class BookingsMachine(RuleBasedStateMachine):
    """One listing, its host, three guests."""

    house: House
    loop: asyncio.AbstractEventLoop

    def __init__(self) -> None:
        super().__init__()
        self.model = Model()
        self.quotes: list[Json] = []
        self.booked: set[str] = set()
        self.runtime = self.house.service.app.state.runtime
        self.provider = self.house.service.app.state.neighbours.payments

    # ---------------------------------------------------------------------------------------------- the listing

    @initialize(units=st.integers(1, 3), percent=st.sampled_from(sorted(POLICIES)))
    def publish(self, units: int, percent: int) -> None:
        self.model.units, self.percent = units, percent
        self.listing: ListingSnapshot = self.run(self.house.listing(units=units, **POLICIES[percent]))
        account = {"account_name": "Hana Alemu", "account_number": "1000123456789", "bank_code": 946}
        succeeded(self.run(self.house.client.put("/api/v1/payouts/account", json=account, headers=self.host)))

    @rule(units=st.integers(1, 3), instant_book=st.booleans(), price=st.integers(1, 10**6))
    def change_listing(self, units: int, instant_book: bool, price: int) -> None:
        self.model.units, self.model.instant_book = units, instant_book
        changes = {"version": self.listing.version + 1, "units": units, "instant_book": instant_book}
        self.listing = self.listing.model_copy(update={**changes, "price": birr(price)})
        self.run(self.house.deliver(ListingUpdated(listing_id=self.listing.id, listing=self.listing)))

    @rule(first=firsts, length=lengths, units=st.none() | st.integers(0, 3))
    def close(self, first: int, length: int, units: int | None) -> None:
        nights = days(self.night(first), length)
        url, period = f"/api/v1/availability/{self.listing.id}/blocks", self.period(first, length)
        if units == 0:
            answer = self.run(self.house.client.delete(url, params=period, headers=self.host))
        else:
            answer = self.run(self.house.client.put(url, json={**period, "units": units}, headers=self.host))

        assert answer.is_success, answer.text
        self.model.close(nights, units)

    # ---------------------------------------------------------------------------------------------- booking

    @rule(guest=st.sampled_from(GUESTS), first=firsts, length=lengths)
    def quote(self, guest: str, first: int, length: int) -> None:
        nights = days(self.night(first), length)
        wish = nights_from(nights[0], length)
        answer = self.run(self.house.ask_quote(self.listing.id, UUID(guest), **wish))

        if self.agree(answer, lambda: self.model.refuse_sold_out(nights)):
            self.quotes.append({**answer.json(), "guest": guest, "days": nights})

    @precondition(lambda self: self.quotes)
    @rule(which=which)
    def book(self, which: int) -> None:
        quote = newest(self.quotes, which)
        answer = self.run(self.house.ask_booking(quote["id"], UUID(quote["guest"])))

        if self.agree(answer, lambda: self.model.refuse_booking(quote["id"], self.booked, quote["days"])):
            found = answer.json()
            assert (found["status"], found["total"]) == (self.model.status_when_booked, quote["total"])
            self.booked.add(quote["id"])
            self.model.book(
                Booking(
                    found["id"], quote["guest"], quote["days"], found["status"], quote["total"]["amount"],
                    shares_of(quote), self.percent,
                )
            )  # fmt: skip

    @rule(guest=st.sampled_from(GUESTS), first=firsts, length=lengths)
    def quote_and_book(self, guest: str, first: int, length: int) -> None:
        self.quote(guest, first, length)
        if self.quotes:
            self.book(0)

    @rule(guest=st.sampled_from(GUESTS), first=firsts, length=lengths)
    def sell(self, guest: str, first: int, length: int) -> None:
        self.quote_and_book(guest, first, length)
        if self.in_state("pending_payment"):
            self.open_payment_and_pay(0)

    @precondition(lambda self: self.model.bookings)
    @rule(which=which, verb=st.sampled_from(["accept", "decline"]))
    def answer(self, which: int, verb: str) -> None:
        booking = newest(self.model.bookings, which)
        answer = self.run(self.act(booking, verb, by_host=True))

        self.agree(answer, lambda: getattr(self.model, verb)(booking))

    @precondition(lambda self: self.model.bookings)
    @rule(which=which, by_host=st.booleans())
    def cancel(self, which: int, by_host: bool) -> None:
        booking = newest(self.model.bookings, which)
        answer = self.run(self.act(booking, "cancel", by_host=by_host))

        if self.agree(answer, lambda: self.model.cancel(booking, by_host=by_host)):
            assert answer.json()["refund"]["amount"] == booking.refund
            self.run(self.refunds_are_done())

    @precondition(lambda self: self.in_state(*LIVE[:2]))
    @rule(which=which)
    def expire(self, which: int) -> None:
        booking = newest(self.in_state(*LIVE[:2]), which)
        self.run(self.house.overdue({"id": booking.id}))
        self.run(timers.expire_overdue(self.runtime))
        self.model.expire(booking)

    @precondition(lambda self: self.in_state("confirmed"))
    @rule(which=which)
    def complete(self, which: int) -> None:
        booking = newest(self.in_state("confirmed"), which)
        self.run(self.house.finish({"id": booking.id, "guest_id": booking.guest}))
        self.model.complete(booking)

    # ---------------------------------------------------------------------------------------------- money

    @precondition(lambda self: self.model.bookings)
    @rule(which=which)
    def open_payment(self, which: int) -> None:
        booking = newest(self.model.bookings, which)
        answer = self.run(self.act(booking, "payments", by_host=False))

        if self.agree(answer, lambda: self.model.refuse_payment(booking)):
            if booking.open_payment:
                assert answer.json()["id"] == booking.open_payment.id
            else:
                booking.payments.append(Payment(answer.json()["id"], booking))

    @precondition(lambda self: self.payments("pending", "failed"))
    @rule(which=which)
    def pay(self, which: int) -> None:
        """Also long after the hold is over, or on a page whose payment failed before."""
        payment = newest(self.payments("pending", "failed"), which)
        self.model.pay(payment)
        self.run(self.press(payment, "pay"))

    @precondition(lambda self: self.in_state("pending_payment"))
    @rule(which=which)
    def open_payment_and_pay(self, which: int) -> None:
        booking = newest(self.in_state("pending_payment"), which)
        self.open_payment(self.model.bookings[::-1].index(booking))
        assert booking.open_payment
        self.model.pay(payment := booking.open_payment)
        self.run(self.press(payment, "pay"))

    @precondition(lambda self: self.payments("pending"))
    @rule(which=which)
    def fail(self, which: int) -> None:
        payment = newest(self.payments("pending"), which)
        self.model.fail(payment)
        self.run(self.press(payment, "fail"))

    @precondition(lambda self: self.in_state("confirmed"))
    @rule(which=which, amount=st.integers(1, 10**6))
    def give_back(self, which: int, amount: int) -> None:
        """As an operator, or a cheaper stay, would."""
        booking = newest(self.in_state("confirmed"), which)
        try:
            self.run(self.order_refund(booking, amount))
        except ValueError:
            assert amount > booking.kept
        else:
            self.model.give_back(booking, amount)
            self.run(self.refunds_are_done())

    @precondition(lambda self: self.payments("succeeded"))
    @rule(which=which)
    def take_back(self, which: int) -> None:
        payment = newest(self.payments("succeeded"), which)
        self.model.take_back(payment)
        self.run(self.press(payment, "return/reverse"))

    @rule()
    def pay_out(self) -> None:
        headers = {**signed_in(roles=("user", "admin")), "Idempotency-Key": str(uuid4())}
        body = {"host_id": str(self.listing.host_id)}
        answer = self.run(self.house.client.post("/api/v1/payouts", json=body, headers=headers))

        if self.agree(answer, self.model.pay_out):
            self.run(self.payouts_are_done())

    # ---------------------------------------------------------------------------------------------- what holds

    @invariant()
    def the_rows_are_what_the_model_says(self) -> None:
        if not hasattr(self, "listing"):
            return
        rows = self.run(self.house.value(ROWS, listing=self.listing.id))
        model = self.model

        assert {(night, unit, claim) for night, unit, claim in rows["nights"]} == {
            (night.isoformat(), unit, claim) for (night, unit), claim in model.claims.items()
        }
        for booking in model.bookings:
            held = sorted(night for (night, _), claim in model.claims.items() if claim == booking.id)
            assert held == (booking.nights if booking.status in LIVE else [])
            assert 0 <= booking.kept <= booking.total
        assert sorted(rows["bookings"]) == sorted([b.id, b.status, b.total, b.refund] for b in model.bookings)
        assert sorted(rows["payments"]) == sorted([p.id, p.status, p.charged, p.refunded] for p in self.payments())
        assert all(refunded <= charged for *_, charged, refunded in rows["payments"])
        assert rows["ledger"] == 0

    @invariant()
    def the_calendar_and_the_balance_are_what_the_model_says(self) -> None:
        if not hasattr(self, "listing"):
            return
        nights = days(ARRIVAL, CALENDAR + 3)
        assert self.run(self.house.calendar(self.listing, days=len(nights))) == [
            self.model.free(each) for each in nights
        ]

        items = succeeded(self.run(self.house.client.get("/api/v1/balance", headers=self.host)))["items"]
        found = {name: money["amount"] for item in items for name, money in item.items() if name != "currency"}
        parts = {"pending": self.model.pending, "available": self.model.available, "paid_out": self.model.paid_out}
        assert {name: found.get(name, 0) for name in (*parts, "on_the_way")} == {**parts, "on_the_way": 0}

    def teardown(self) -> None:
        """What the provider did is what we believe it did."""
        for payment in self.payments("succeeded", "refunded"):
            transaction = self.run(self.house.transaction({"id": payment.id}))
            if transaction["status"] != "reversed":
                assert transaction["refunded"] == f"{payment.refunded / 100:.2f}"
        self.run(audit(self.house))

    # ---------------------------------------------------------------------------------------------- how

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        """On the loop on which the service runs, too."""
        return self.loop.run_until_complete(work)

    @property
    def host(self) -> dict[str, str]:
        return signed_in(self.listing.host_id)

    def night(self, number: int) -> date:
        return days(ARRIVAL, number + 1)[-1]

    def period(self, first: int, length: int) -> Json:
        return dict(zip(("from", "to"), nights_from(self.night(first), length).values(), strict=True))

    def in_state(self, *statuses: str) -> list[Booking]:
        return [booking for booking in self.model.bookings if booking.status in statuses]

    def payments(self, *statuses: str) -> list[Payment]:
        every = [payment for booking in self.model.bookings for payment in booking.payments]
        return [payment for payment in every if not statuses or payment.status in statuses]

    def agree(self, answer: httpx.Response, in_the_model: Callable[[], object]) -> bool:
        """Both refuse it for the same reason, or both do it."""
        expected = refusal(in_the_model)
        code = None if answer.is_success else answer.json()["code"]
        assert code == expected, answer.text
        return expected is None

    def act(self, booking: Booking, verb: str, *, by_host: bool) -> Coroutine[Any, Any, httpx.Response]:
        return self.house.act({"id": booking.id}, verb, self.listing.host_id if by_host else booking.guest)

    async def press(self, payment: Payment, button: str) -> None:
        await self.house.press({"id": payment.id}, button)
        await self.house.execute("UPDATE payments SET check_at = now() WHERE id = :id", id=UUID(payment.id))
        await settlement.reconcile(self.runtime, self.provider)
        await self.refunds_are_done()
        await self.house.payment_becomes({"id": payment.id}, payment.status)

    async def order_refund(self, booking: Booking, amount: int) -> None:
        async with self.house.service.database.unit_of_work() as session:
            await bookings.lock(session, UUID(booking.id))
            await refunds.order_for_booking(session, UUID(booking.id), birr(amount))

    async def refunds_are_done(self) -> None:
        await refunds.execute(self.runtime, self.provider)
        await self.is_none("SELECT count(*) FROM refunds WHERE done_at IS NULL")

    async def payouts_are_done(self) -> None:
        await payouts.execute(self.runtime, self.provider)
        await self.house.execute("UPDATE payouts SET due_at = now() WHERE status = 'pending'")
        await self.is_none("SELECT count(*) FROM payouts WHERE status = 'pending'")

    async def is_none(self, count: str) -> None:
        async def look() -> None:
            assert await self.house.value(count) == 0

        await eventually(look)


def refusal(in_the_model: Callable[[], object]) -> str | None:
    """The code of the problem, if the model refuses it."""
    try:
        in_the_model()
    except Refused as refused:
        return str(refused)
    return None


def newest(things: list[T], which: int) -> T:
    """Counted from the end, over and over."""
    return things[-1 - which % len(things)]


def shares_of(quote: Json) -> dict[str, int]:
    """By the lines of the price that the guest saw."""
    amounts = {name: line["amount"] for name, line in quote.items() if isinstance(line, dict) and "amount" in line}
    fees = amounts["service_fee"] + amounts["host_fee"]
    return {"host": amounts["host_payout"], "platform": fees, "state": amounts["tax"]}


@pytest.fixture
async def loop(house: House) -> asyncio.AbstractEventLoop:
    """Of the service and its background tasks."""
    return asyncio.get_running_loop()


def test_nights_and_money_are_what_a_small_model_says(house: House, loop: asyncio.AbstractEventLoop) -> None:
    class Machine(BookingsMachine):
        pass

    Machine.house, Machine.loop = house, loop
    run_state_machine_as_test(
        Machine,
        settings=settings(
            max_examples=12,
            stateful_step_count=50,
            deadline=None,
            derandomize=True,
            database=None,
            suppress_health_check=list(HealthCheck),
        ),
    )
