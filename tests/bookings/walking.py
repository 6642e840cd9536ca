"""How a walk through all that can happen to bookings is made: each step asks the service and the model, and compares.

`walking_bookings.py` and `walking_changes.py` are the steps, `test_state_machine.py` takes them.
"""

import asyncio
import hashlib
import hmac
import json
from collections import Counter
from collections.abc import Callable, Coroutine, Sequence
from datetime import date
from itertools import count
from random import Random
from typing import Any, TypeVar
from uuid import UUID

import httpx
from hypothesis import note
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule
from nexus_bookings.payouts import service as payouts
from nexus_bookings.refunds import service as refunds
from nexus_bookings.settlement import service as settlement
from nexus_contracts.listings import CancellationPolicy, ListingSnapshot
from nexus_contracts.rates import CancellationTier
from nexus_kit.testing import signed_in

from tests.bookings.books import audit
from tests.bookings.given import ARRIVAL, House, Json, eventually, nights_from, succeeded
from tests.bookings.model import LIVE, Model, Refused
from tests.bookings.model_of_stays import Booking, Change, Payment, Promise, days
from tests.local.simulators import WEBHOOK_SECRET

T = TypeVar("T")

CALENDAR = 6
"""Nights on which all stays begin, so that they meet."""
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

ROWS = """SELECT jsonb_build_object(
    'nights', (SELECT coalesce(jsonb_agg(jsonb_build_array(night, unit, coalesce(closed_by, booking_id::text))), '[]')
                 FROM nights WHERE listing_id = :listing),
    'bookings', (SELECT coalesce(jsonb_agg(jsonb_build_array(
                            id, status, check_in, check_out, guests, total_amount, refund_amount)), '[]')
                   FROM bookings WHERE listing_id = :listing),
    'changes', (SELECT coalesce(jsonb_agg(jsonb_build_array(c.id, c.status)), '[]')
                  FROM booking_changes c JOIN bookings b ON b.id = c.booking_id WHERE listing_id = :listing),
    'stories', (SELECT coalesce(jsonb_object_agg(id, story), '{}') FROM (
                    SELECT b.id, jsonb_agg(what ORDER BY m.version) AS story
                      FROM bookings b JOIN booking_moves m ON m.booking_id = b.id WHERE listing_id = :listing
                     GROUP BY b.id HAVING b.version = count(*) AND b.version = max(m.version)) AS stories),
    'payments', (SELECT coalesce(jsonb_agg(jsonb_build_array(
                            p.id, p.status, p.change_id, amount, coalesce(charged_amount, 0), refunded_amount)), '[]')
                   FROM payments p JOIN bookings b ON b.id = p.booking_id WHERE listing_id = :listing),
    'ledger', (SELECT coalesce(sum(amount), 0) FROM ledger_entries))"""


class NothingToDo(Exception):
    """The step has nothing to be done with."""


class Walk(RuleBasedStateMachine):
    """One listing, its host, three guests, a bank. Nothing happens by itself: time passes when a step says so."""

    steps: dict[str, int]
    """Methods that take a step, with how often."""

    house: House
    loop: asyncio.AbstractEventLoop
    seen: Counter[str]
    """What happened, in all walks."""

    def __init__(self) -> None:
        super().__init__()
        self.model = Model()
        self.promises: list[Promise] = []
        self.runtime = self.house.service.app.state.runtime
        self.provider = self.house.service.app.state.neighbours.payments
        self.listing: ListingSnapshot | None = None
        self.percent = 0
        self.serial = count()

    @rule(chance=st.randoms(use_true_random=True))
    def step(self, chance: Random) -> None:
        """One of those that are possible. A rule for each would be fewer kinds of walks: rules are drawn unevenly."""
        for name in iter(lambda: chance.choices([*self.steps], [*self.steps.values()])[0], None):
            try:
                getattr(self, name)(chance)
            except NothingToDo:
                continue
            note(name)
            return

    # ---------------------------------------------------------------------------------------------- what holds

    @invariant()
    def the_rows_are_what_the_model_says(self) -> None:
        if self.listing is None:
            return
        rows, model = self.run(self.house.value(ROWS, listing=self.listing.id)), self.model

        assert {(night, unit, claim) for night, unit, claim in rows["nights"]} == {
            (night.isoformat(), unit, claim) for (night, unit), claim in model.claims.items()
        }
        assert sorted(rows["bookings"]) == sorted(
            [b.id, b.status, *dates(b.promise), b.promise.guests, b.promise.total, b.refund] for b in model.bookings
        )
        assert sorted(rows["changes"]) == sorted([c.id, c.status] for c in self.changes())
        assert rows["stories"] == {b.id: b.story for b in model.bookings}
        assert sorted(rows["payments"]) == sorted(
            [p.id, p.status, p.change and p.change.id, p.amount, p.charged, p.refunded] for p in self.payments()
        )
        assert rows["ledger"] == 0

    @invariant()
    def a_stay_has_its_nights_and_its_price_and_nobody_else_has(self) -> None:
        for booking in self.model.bookings:
            wanted = set(booking.promise.nights) if booking.status in LIVE else set()
            if booking.status in LIVE and booking.change:
                wanted |= set(booking.change.promise.nights)
            assert self.model.held_by(booking) == wanted
            assert 0 <= booking.kept <= booking.promise.total
            assert booking.status != "confirmed" or booking.kept == booking.promise.total
            assert booking.status != "cancelled" or booking.change is None

    @invariant()
    def the_calendar_and_the_balance_are_what_the_model_says(self) -> None:
        if self.listing is None:
            return
        nights = days(ARRIVAL, CALENDAR + 3)
        found = self.run(self.house.calendar(self.listing, days=len(nights)))
        assert found == [self.model.free(each) for each in nights]

        items = succeeded(self.run(self.house.client.get("/api/v1/balance", headers=self.host)))["items"]
        shown = {name: money["amount"] for item in items for name, money in item.items() if name != "currency"}
        parts = {"pending": self.model.pending, "available": self.model.available, "paid_out": self.model.paid_out}
        assert {name: shown.get(name, 0) for name in (*parts, "on_the_way")} == {**parts, "on_the_way": 0}

    def teardown(self) -> None:
        """We hear of everything in the end, and what the bank did is what we believe it did."""
        for payment in self.payments():
            self.hear(payment)
        self.the_rows_are_what_the_model_says()
        self.run(audit(self.house))
        transactions = self.run(self.house.provider.get("/simulator/transactions")).json()
        at_bank = {each["tx_ref"]: each for each in transactions}
        for payment in self.payments():
            transaction = at_bank[self.run(self.house.tx_ref({"id": payment.id}))]
            if payment.at_bank == "paid":
                assert transaction["amount"] == f"{payment.charged / 100:.2f}"
                assert transaction["refunded"] == f"{payment.refunded / 100:.2f}"

    # ---------------------------------------------------------------------------------------------- how

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        """On the loop on which the service runs, too."""
        return self.loop.run_until_complete(work)

    @property
    def host(self) -> dict[str, str]:
        assert self.listing
        return signed_in(self.listing.host_id)

    def night(self, number: int) -> date:
        return days(ARRIVAL, number + 1)[-1]

    def promised(self, *, of_changes: bool, used: bool) -> list[Promise]:
        """Those of which nobody has made use yet; with `used`, any."""
        every = [promise for promise in self.promises if (promise.booking is not None) == of_changes]
        return [promise for promise in every if used or promise.id not in self.model.used]

    def in_state(self, *statuses: str) -> list[Booking]:
        return [booking for booking in self.model.bookings if booking.status in statuses]

    def changes(self, *statuses: str) -> list[Change]:
        every = [change for booking in self.model.bookings for change in booking.changes]
        return [change for change in every if not statuses or change.status in statuses]

    def payments(self, *at_bank: str) -> list[Payment]:
        every = [payment for booking in self.model.bookings for payment in booking.payments]
        return [payment for payment in every if not at_bank or payment.at_bank in at_bank]

    def any_stay(self, chance: Random) -> tuple[int, int]:
        """First night and length."""
        return chance.randrange(CALENDAR), chance.randint(1, 3)

    def free_stays(self, booking: Booking | None = None) -> list[tuple[int, int]]:
        """First night and length of what is free, or what the booking may become."""
        every = [(first, length) for first in range(CALENDAR) for length in (1, 2, 3)]
        taken = {number for number in range(CALENDAR + 2) if self.sold_out(self.night(number), booking)}
        return [(first, length) for first, length in every if not taken & set(range(first, first + length))]

    def sold_out(self, night: date, besides: Booking | None = None) -> bool:
        return self.model.taken(night, besides=besides) >= self.model.units

    def agree(self, what: str, answer: httpx.Response, in_the_model: Callable[[], object]) -> bool:
        """Both refuse it for the same reason, or both do it."""
        expected: str | None = None
        try:
            in_the_model()
        except Refused as refused:
            expected = str(refused)
        code = None if answer.is_success else answer.json()["code"]
        assert code == expected, answer.text
        self.seen[f"{what}: {code or 'done'}"] += 1
        return expected is None

    def ask_quote(
        self, guest: str, first: int, length: int, guests: int, booking: Booking | None = None
    ) -> Promise | None:
        """What a stay costs: its lines or, of a changed one, what cannot be had back any more."""
        assert self.listing
        nights = days(self.night(first), length)
        wish: Json = {**nights_from(nights[0], length), "guests": guests}
        wish |= {"booking_id": booking.id} if booking else {}
        answer = self.run(self.house.ask_quote(self.listing.id, UUID(guest), **wish))
        what = "quote of a change" if booking else "quote"
        if not self.agree(what, answer, lambda: self.model.refuse_quote(nights, guests, booking)):
            return None
        quote, lost = answer.json(), booking.lost if booking else 0
        line = {name: each["amount"] for name, each in quote.items() if isinstance(each, dict) and "amount" in each}
        asked = line["accommodation"] - line["length_discount"] + line["extra_guests"] + line["cleaning_fee"]
        total = max(asked + line["service_fee"] + line["tax"], lost)
        assert line["total"] == total
        promise = Promise(
            id=quote["id"],
            guest=guest,
            nights=nights,
            guests=guests,
            total=total,
            shares={
                "host": line["host_payout"],
                "platform": line["service_fee"] + line["host_fee"],
                "state": line["tax"],
            },
            percent=self.percent,
            booking=booking,
            difference=total - booking.promise.total if booking else 0,
            lost=lost,
        )
        self.promises.append(promise)
        return promise

    def act(self, booking: Booking, verb: str, *, by_host: bool) -> httpx.Response:
        assert self.listing
        user = self.listing.host_id if by_host else booking.promise.guest
        return self.run(self.house.act({"id": booking.id}, verb, user))

    def open_page_of(self, booking: Booking) -> Payment | None:
        answer = self.act(booking, "payments", by_host=False)
        if not self.agree("open page", answer, lambda: self.model.due(booking)):
            return None
        if page := self.model.page(booking):
            assert answer.json()["id"] == page.id
            return page
        amount, change = self.model.due(booking)
        assert answer.json()["amount"]["amount"] == amount
        booking.payments.append(Payment(answer.json()["id"], booking, change, amount))
        return booking.payments[-1]

    def open_page_and_pay(self, booking: Booking) -> None:
        page = self.open_page_of(booking)
        if page and page.at_bank in ("pending", "failed"):
            self.press(page, "pay")
            self.hear(page)

    def press(self, payment: Payment, button: str) -> None:
        """At the bank. We have not heard of it yet."""
        self.run(self.house.press({"id": payment.id}, button))
        payment.at_bank = {"pay": "paid", "fail": "failed", "return/reverse": "reversed"}[button]

    def hear(self, payment: Payment) -> None:
        """A webhook about it, twice, whatever it says: we ask the bank, and act on what it answers."""
        self.model.hear(payment)
        self.run(self._hear(payment))

    async def _hear(self, payment: Payment) -> None:
        await self.house.execute("UPDATE payments SET check_at = now() + interval '1 hour' WHERE check_at IS NOT NULL")
        hint = {
            "event": "charge.success",
            "tx_ref": await self.house.tx_ref({"id": payment.id}),
            "n": next(self.serial),
        }
        body = json.dumps(hint).encode()
        signature = {"x-chapa-signature": hmac.new(WEBHOOK_SECRET.encode(), body, hashlib.sha256).hexdigest()}
        for _ in range(2):
            answer = await self.house.client.post("/api/v1/payments/chapa/webhook", content=body, headers=signature)
            assert answer.is_success, answer.text
            await settlement.reconcile(self.runtime, self.provider)
        await self.refunds_are_done()

    async def refunds_are_done(self) -> None:
        async def look() -> None:
            await self.house.execute("UPDATE refunds SET due_at = now() WHERE done_at IS NULL")
            await refunds.execute(self.runtime, self.provider)
            assert await self.house.value("SELECT count(*) FROM refunds WHERE done_at IS NULL") == 0

        await eventually(look)

    async def payouts_are_done(self) -> None:
        async def look() -> None:
            await self.house.execute("UPDATE payouts SET due_at = now() WHERE status = 'pending'")
            await payouts.execute(self.runtime, self.provider)
            assert await self.house.value("SELECT count(*) FROM payouts WHERE status = 'pending'") == 0

        await eventually(look)


def dates(promise: Promise) -> list[str]:
    """Check-in and check-out."""
    return list(nights_from(promise.nights[0], len(promise.nights)).values())


def pick(chance: Random, things: Sequence[T]) -> T:
    """Any of them."""
    if not things:
        raise NothingToDo
    return chance.choice(things)


def rarely(chance: Random) -> bool:
    """One time in four."""
    return chance.random() < 0.25
