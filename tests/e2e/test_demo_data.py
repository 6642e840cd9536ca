"""`nexus seed`: there is something to look at in every state, and a second run finds it there."""

import asyncio
import subprocess
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime

import pytest

from tests.actors import Actor
from tests.suite import NEXUS, Suite, running_suite

STATES = {"requested", "declined", "pending_payment", "expired", "confirmed", "cancelled", "completed"}


@pytest.fixture(scope="module")
def suite() -> Iterator[Suite]:
    """Its own: the demo would be in the way of other tests."""
    with running_suite() as running:
        yield running


def seed(suite: Suite) -> None:
    subprocess.run([NEXUS, "seed", "--data-dir", suite.data], check=True, capture_output=True, timeout=100)


async def test_the_demo_has_a_booking_in_every_state_and_is_made_once(suite: Suite) -> None:
    for _ in range(2):
        await asyncio.to_thread(seed, suite)

    demo = suite.status()["demo"]
    async with Actor(suite) as guest, Actor(suite) as host:
        guest.email, host.email = demo["guest"]["email"], demo["host"]["email"]
        await guest.sign_in(demo["guest"]["password"])
        await host.sign_in(demo["host"]["password"])
        bookings = (await guest.get("/bookings", limit=100))["items"]
        hosted = (await host.get("/bookings", role="host", limit=100))["items"]
        [balance] = (await host.get("/balance"))["items"]
        [payout] = (await host.get("/payouts"))["items"]
        account = await host.get("/payouts/account")
        changes = [
            each for booking in hosted for each in (await host.get(f"/bookings/{booking['id']}/changes"))["items"]
        ]
        [waiting] = (await guest.get("/waiting-list"))["items"]
        period = {"from": waiting["check_in"], "to": waiting["check_out"]}
        blocks = (await host.get(f"/availability/{waiting['listing_id']}/blocks", **period))["items"]
        statement = await host.call("GET", f"/statements/{payout['created_at'][:7]}.csv")

    assert Counter(booking["status"] for booking in bookings) == Counter([*STATES, "completed", "confirmed"])
    assert {booking["id"] for booking in hosted} == {booking["id"] for booking in bookings}
    assert sorted(change["status"] for change in changes) == ["applied", "requested"]
    assert (waiting["status"], waiting["place"]) == ("waiting", 1)
    assert {tuple(night["closed_by"]) for night in blocks} == {("host",)}
    by_status = {booking["status"]: booking for booking in bookings}
    completed, nights = by_status["completed"], by_status["completed"]["price"]["nights"]
    assert completed["check_out"] < datetime.now(UTC).date().isoformat()
    assert nights[0]["night"] == completed["check_in"]
    assert (payout["status"], account["account_number"]) == ("paid", "…6789")
    assert balance["paid_out"] == payout["amount"], "what the first completed stay earned"
    assert balance["available"]["amount"] > 0, "what the second one did"
    assert balance["pending"]["amount"] > 0, "what the confirmed one will"
    movements = [line.split(",")[1] for line in statement.text.splitlines()[1:]]
    assert {"opening_balance", "earned", "released", "payout_ordered", "closing_balance"} >= set(movements)
    assert movements.count("earned") == 5, "the two confirmed stays, the cancelled one, and the two that are over"
    assert by_status["cancelled"]["refund"] == by_status["cancelled"]["total"]
