"""Fifty people do whatever comes to their minds, all at once; when they rest, nights and money are right.

It runs on a suite of its own whose holds last a few seconds: so holds expire and money comes late while they are at it.
"""

import asyncio
import random
import time
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from datetime import date, timedelta
from typing import Any
from uuid import uuid4

import asyncpg
import httpx
import pytest

from tests.actors import Actor, eventually, newcomers
from tests.bookings.books import LIES
from tests.bookings.changing import STRAY_OR_LOST
from tests.suite import WITHOUT_LIMITS, Suite, running_suite

HOSTS, GUESTS = 10, 40
SECONDS = 20
ARRIVAL = date.today() + timedelta(days=40)  # noqa: DTZ011 - a date well ahead in any zone
NIGHTS = 8
"""All stays are among these, so that people want the same ones."""
PERIOD = {"from": ARRIVAL.isoformat(), "to": (ARRIVAL + timedelta(days=NIGHTS)).isoformat()}

WRONG = {
    "more live bookings of a night than units": """
        SELECT listing_id, night FROM bookings JOIN listing_copies USING (listing_id)
         CROSS JOIN generate_series(check_in, check_out - 1, interval '1 day') AS night
         WHERE status IN ('requested', 'pending_payment', 'confirmed')
         GROUP BY listing_id, night, snapshot HAVING count(*) > (snapshot ->> 'units')::int""",
    "a night of another listing": """
        SELECT n.night FROM nights n JOIN bookings b ON b.id = n.booking_id WHERE n.listing_id <> b.listing_id""",
    "a change that is open though its booking is not confirmed": """
        SELECT c.id FROM booking_changes c JOIN bookings b ON b.id = c.booking_id
         WHERE c.status IN ('requested', 'pending_payment') AND b.status <> 'confirmed'""",
    "a changed booking that is not what one of its changes made of it": """
        SELECT b.id FROM bookings b WHERE EXISTS (
                SELECT FROM booking_changes c WHERE c.booking_id = b.id AND c.status = 'applied')
           AND NOT EXISTS (
                SELECT FROM booking_changes c JOIN quotes q ON q.id = c.quote_id
                 WHERE c.booking_id = b.id AND c.status = 'applied'
                   AND (q.check_in, q.check_out, q.guests, q.price #>> '{total,amount}')
                     = (b.check_in, b.check_out, b.guests, b.total_amount::text))""",
    "a timeline with a gap": """
        SELECT b.id FROM bookings b LEFT JOIN booking_moves m ON m.booking_id = b.id
         GROUP BY b.id HAVING count(m.version) <> b.version OR max(m.version) <> b.version""",
    "an offer that is no booking of the guest who waited": """
        SELECT e.id FROM waiting_entries e LEFT JOIN bookings b ON b.id = e.booking_id AND b.guest_id = e.guest_id
         WHERE e.status = 'offered' AND b.id IS NULL""",
    "a stay of which we keep more, or less, than its price and its terms say": """
        SELECT b.id FROM bookings b LEFT JOIN payments p ON p.booking_id = b.id
         GROUP BY b.id HAVING coalesce(sum(p.charged_amount - p.refunded_amount), 0) <> CASE
            WHEN b.status IN ('confirmed', 'completed') THEN b.total_amount
            WHEN b.status = 'cancelled' AND EXISTS (
                SELECT FROM booking_moves m WHERE m.booking_id = b.id AND m.what = 'confirmed')
            THEN b.total_amount - b.refund_amount
            ELSE 0 END""",
    **{f"lie {number} in the ledger": lie for number, lie in enumerate(LIES)},
    "a ledger that does not sum to zero": "SELECT 1 FROM ledger_entries HAVING sum(amount) <> 0",
}
"""What must find no row."""


class Crowd:
    """Who there is, and what they have."""

    def __init__(self, suite: Suite, hosts: list[Actor], guests: list[Actor]) -> None:
        self.hosts, self.guests = hosts, guests
        self.simulator: str = suite.status()["payments"]
        self.listings: list[dict[str, Any]] = []
        self.bookings: dict[str, list[dict[str, Any]]] = {guest.email: [] for guest in guests}
        self.happened: Counter[str] = Counter()
        self.until = 0.0

    async def open(self) -> None:
        """A listing of each host: some with two units, some that ask first, some that keep half."""

        async def publish(number: int, host: Actor) -> dict[str, Any]:
            policy = {"cancellation_policy": "custom"} if number % 2 else {}
            tiers = [{"hours_before_check_in": 24, "refund_percent": 33}] if number % 2 else []
            listing: dict[str, Any] = await host.publish_listing(
                title=f"House {number}",
                units=1 + number % 2,
                instant_book=number % 3 > 0,
                cancellation_tiers=tiers,
                **policy,
            )
            return listing

        self.listings = await asyncio.gather(*(publish(number, host) for number, host in enumerate(self.hosts)))

    async def live(self) -> None:
        """Everybody does something, and then something else, until time is up."""
        self.until = time.monotonic() + SECONDS
        async with httpx.AsyncClient(base_url=self.simulator, timeout=30) as bank:
            guests = [self.guest(guest, bank, random.Random(number)) for number, guest in enumerate(self.guests)]
            hosts = [self.host(number, random.Random(-1 - number)) for number in range(len(self.hosts))]
            await asyncio.gather(*guests, *hosts)

    async def guest(self, guest: Actor, bank: httpx.AsyncClient, chance: random.Random) -> None:
        mine = self.bookings[guest.email]
        while time.monotonic() < self.until:
            match chance.choice(["book", "book", "book", "pay", "pay", "change", "change", "wait", "cancel", "rest"]):
                case "book":
                    await self.book(guest, chance)
                case "change" if mine:
                    for booking in (await guest.get("/bookings", status="confirmed"))["items"]:
                        await self.change(guest, bank, booking, chance)
                case "wait":
                    await self.wait(guest, chance)
                case "pay" if mine:
                    await self.pay(guest, bank, chance.choice(mine)["id"], chance)
                case "cancel" if mine and chance.random() < 0.5:
                    await self.does(guest, "cancel", f"/bookings/{chance.choice(mine)['id']}/cancel")
                case _:
                    await asyncio.sleep(chance.random())

    def stay(self, chance: random.Random) -> dict[str, Any]:
        first = chance.randrange(NIGHTS)
        length = chance.randint(1, min(3, NIGHTS - first))
        return {
            "listing_id": chance.choice(self.listings)["id"],
            "check_in": (ARRIVAL + timedelta(days=first)).isoformat(),
            "check_out": (ARRIVAL + timedelta(days=first + length)).isoformat(),
            "guests": 2,
        }

    async def book(self, guest: Actor, chance: random.Random) -> None:
        quote = await self.does(guest, "quote", "/quotes", self.stay(chance))
        if quote:
            await asyncio.sleep(chance.random() / 10)
            booking = await self.does(guest, "book", "/bookings", {"quote_id": quote["id"]})
            if booking:
                self.bookings[guest.email].append(booking)

    async def change(
        self, guest: Actor, bank: httpx.AsyncClient, booking: dict[str, Any], chance: random.Random
    ) -> None:
        """Other dates; whoever has to pay for them does, mostly."""
        other = {"listing_id": booking["listing_id"], "booking_id": booking["id"], "guests": chance.randint(1, 3)}
        quote = await self.does(guest, "quote a change", "/quotes", self.stay(chance) | other)
        if quote:
            path = f"/bookings/{booking['id']}/changes"
            change = await self.does(guest, "change", path, {"quote_id": quote["id"]})
            if change and change["status"] == "pending_payment" and chance.random() < 0.7:
                await self.pay(guest, bank, booking["id"], chance)

    async def wait(self, guest: Actor, chance: random.Random) -> None:
        """In line for a sold-out stay; what was offered is theirs to pay, change and cancel."""
        await self.does(guest, "wait", "/waiting-list", self.stay(chance))
        known = {booking["id"] for booking in self.bookings[guest.email]}
        for entry in (await guest.get("/waiting-list"))["items"]:
            if entry["booking_id"] not in (None, *known):
                self.bookings[guest.email].append(await guest.get(f"/bookings/{entry['booking_id']}"))
                self.happened["offered"] += 1

    async def leave(self, guest: Actor) -> None:
        for entry in (await guest.get("/waiting-list", limit=100))["items"]:
            if entry["status"] == "waiting":
                await self.does(guest, "leave", f"/waiting-list/{entry['id']}", method="DELETE")

    async def pay(self, guest: Actor, bank: httpx.AsyncClient, booking: str, chance: random.Random) -> None:
        payment = await self.does(guest, "pay", f"/bookings/{booking}/payments")
        if payment:
            await asyncio.sleep(chance.choice([0, 0, 0, 6]))  # the last is longer than the hold
            page = payment["checkout_url"].rsplit("/", 1)[-1]
            button = chance.choice(["pay", "pay", "pay", "fail"])
            pressed = await bank.post(f"/checkout/payment/{page}/{button}")
            self.happened[f"{button} pressed {pressed.status_code}"] += 1

    async def host(self, number: int, chance: random.Random) -> None:
        host, listing = self.hosts[number], self.listings[number]
        blocks = f"/availability/{listing['id']}/blocks"
        while time.monotonic() < self.until:
            await asyncio.sleep(chance.random())
            match chance.choice(["answer", "answer", "answer", "close", "open", "cancel"]):
                case "answer":
                    for request in (await host.get("/bookings", role="host", status="requested"))["items"]:
                        verb = chance.choice(["accept", "accept", "accept", "decline"])
                        await self.does(host, verb, f"/bookings/{request['id']}/{verb}")
                    await self.answer_changes(host, chance)
                case "close":
                    first = ARRIVAL + timedelta(days=chance.randrange(NIGHTS))
                    period = {"from": first.isoformat(), "to": (first + timedelta(days=1)).isoformat()}
                    await self.does(host, "close", blocks, {**period, "units": 1}, method="PUT")
                case "open":
                    query = f"?from={PERIOD['from']}&to={PERIOD['to']}"
                    await self.does(host, "open", blocks + query, method="DELETE")
                case "cancel":
                    sold = (await host.get("/bookings", role="host", status="confirmed"))["items"]
                    if sold:
                        await self.does(host, "host cancels", f"/bookings/{chance.choice(sold)['id']}/cancel")

    async def answer_changes(self, host: Actor, chance: random.Random) -> None:
        for booking in (await host.get("/bookings", role="host", status="confirmed"))["items"]:
            path = f"/bookings/{booking['id']}/changes"
            for change in (await host.get(path))["items"]:
                if change["status"] == "requested":
                    verb = chance.choice(["accept", "accept", "accept", "decline"])
                    await self.does(host, f"{verb} change", f"{path}/{change['id']}/{verb}")

    async def does(self, person: Actor, what: str, path: str, body: Any = None, *, method: str = "POST") -> Any:
        """One call: its answer if it is a success, nothing if it is refused."""
        answer = await person.call(method, path, json=body, headers={"Idempotency-Key": str(uuid4())})
        outcome = "done" if answer.is_success else answer.json()["code"]
        self.happened[f"{what}: {outcome}"] += 1
        refused = answer.status_code in (409, 503) or outcome == "nothing_changes"
        assert answer.is_success or refused, f"{what}: {answer.text}"
        return answer.json() if answer.is_success and answer.content else None


@pytest.fixture(scope="module")
def suite() -> Iterator[Suite]:
    with running_suite({**WITHOUT_LIMITS, "NEXUS_HOLD_SECONDS": "4", "NEXUS_OFFER_SECONDS": "4"}) as running:
        yield running


@asynccontextmanager
async def database(suite: Suite) -> AsyncIterator[asyncpg.Connection]:
    connection = await asyncpg.connect(suite.database_url("bookings"))
    try:
        yield connection
    finally:
        await connection.close()


@pytest.mark.timeout(300)
async def test_whatever_fifty_people_do_at_once_nights_and_money_are_right(suite: Suite) -> None:
    names = [*(f"Host {number}" for number in range(HOSTS)), *(f"Guest {number}" for number in range(GUESTS))]
    async with newcomers(suite, *names) as people, database(suite) as rows:
        crowd = Crowd(suite, people[:HOSTS], people[HOSTS:])
        await crowd.open()

        await crowd.live()
        await asyncio.gather(*(crowd.leave(guest) for guest in crowd.guests))
        await eventually(lambda: it_is_quiet(suite, rows))

        for what, query in WRONG.items():
            assert await rows.fetch(query) == [], what
        assert await rows.fetchval(STRAY_OR_LOST) == 0, "nights that a live booking or its change lacks, or others have"
        await the_provider_agrees(suite, rows)
        await the_calendars_agree(crowd, rows)
        statuses = dict(await rows.fetch("SELECT status, count(*) FROM bookings GROUP BY 1"))
        assert statuses.keys() >= {"confirmed", "cancelled", "expired", "declined"}, statuses
        assert crowd.happened["book: done"] > 30, crowd.happened
        assert crowd.happened["book: dates_unavailable"] > 0, crowd.happened
        assert await rows.fetchval("SELECT count(*) FROM refunds") > 0, crowd.happened
        changes = dict(await rows.fetch("SELECT status, count(*) FROM booking_changes GROUP BY 1"))
        assert changes["applied"] > 0 < sum(changes.values()) - changes["applied"], changes
        assert await rows.fetchval("SELECT count(*) FROM waiting_entries WHERE status = 'offered'") > 0, crowd.happened


async def it_is_quiet(suite: Suite, rows: asyncpg.Connection) -> None:
    """Every hold is over, the bank's news have all been heard, and what was owed was given back."""
    assert await rows.fetchval("SELECT count(*) FROM bookings WHERE status = 'pending_payment'") == 0
    assert await rows.fetchval("SELECT count(*) FROM booking_changes WHERE status = 'pending_payment'") == 0
    assert await rows.fetchval("SELECT count(*) FROM waiting_entries WHERE due") == 0
    assert await rows.fetchval("SELECT count(*) FROM refunds WHERE done_at IS NULL") == 0
    paid = await transactions(suite, "success", "refunded")
    known = await rows.fetchval("SELECT count(*) FROM payments WHERE charged_amount IS NOT NULL")
    assert known == len(paid)


async def the_provider_agrees(suite: Suite, rows: asyncpg.Connection) -> None:
    """It charged and gave back what we say it did."""
    query = "SELECT tx_ref, charged_amount, refunded_amount FROM payments WHERE charged_amount IS NOT NULL"
    ours = {tx_ref: (f"{charged / 100:.2f}", f"{back / 100:.2f}") for tx_ref, charged, back in await rows.fetch(query)}
    theirs = {
        each["tx_ref"]: (each["amount"], each["refunded"]) for each in await transactions(suite, "success", "refunded")
    }
    assert ours == theirs


async def the_calendars_agree(crowd: Crowd, rows: asyncpg.Connection) -> None:
    """Each listing shows as many free units as nobody has."""
    query = "SELECT listing_id::text, night, count(*) FROM nights GROUP BY 1, 2"
    taken = {(listing, night.isoformat()): count for listing, night, count in await rows.fetch(query)}
    for listing in crowd.listings:
        calendar = await crowd.hosts[0].get(f"/availability/{listing['id']}", **PERIOD)
        for each in calendar["items"]:
            free = listing["units"] - taken.get((listing["id"], each["night"]), 0)
            assert each["free_units"] == max(free, 0), (listing["title"], each)


async def transactions(suite: Suite, *statuses: str) -> list[dict[str, Any]]:
    """What the provider knows."""
    async with httpx.AsyncClient(base_url=suite.status()["payments"]) as provider:
        return [each for each in (await provider.get("/simulator/transactions")).json() if each["status"] in statuses]
