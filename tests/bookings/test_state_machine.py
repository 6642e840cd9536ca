"""Any order of what guests, hosts, the clock and the provider can do: nights and money are what a small model says.

Through the API, with the payment simulator. `model.py` is the model, `walking.py` compares after every step: no night
of a unit is in two live bookings, nor in one and another's change; the ledger sums to zero; nobody is charged or
refunded more than they should be; each stay costs what its quote said; each timeline tells what happened.
"""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import run_state_machine_as_test
from nexus_kit.db import advisory_key
from sqlalchemy import text

from tests.bookings.given import House, eventually
from tests.bookings.walking_changes import ChangeSteps

MUST_BE_SEEN = {
    *("book: done", "book: dates_unavailable", "book: quote_used", "accept: done", "pay out: done"),
    *("accept: illegal_transition", "cancel: done", "cancel: illegal_transition", "open page: not_payable"),
    *("change: applied", "change: pending_payment", "change: requested", "change: change_open", "change: quote_used"),
    *("change: not_changeable", "accept change: done", "accept change: illegal_transition", "decline change: done"),
    *("difference: applied", "cancel while requested: done", "cancel while pending_payment: done"),
    *("hear: pending is succeeded", "hear: succeeded is succeeded"),
}
"""Otherwise the walks prove less than they seem to."""

LEADER = """SELECT pg_terminate_backend(pid) FROM pg_locks
    WHERE locktype = 'advisory' AND granted AND pid <> pg_backend_pid()
      AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
      AND (classid::bigint << 32) | objid::bigint = :key"""


@pytest.fixture
async def nothing_happens_by_itself(house: House) -> AsyncIterator[None]:
    """The test leads the periodic work in the service's place, so time passes when a step says so."""
    runtime = house.service.app.state.runtime
    key = {"key": advisory_key(f"{runtime.name}:periodic")}
    await house.behave(webhooks="off")
    async with house.service.database.engine.connect() as connection:
        await connection.execution_options(isolation_level="AUTOCOMMIT")
        while not await connection.scalar(text("SELECT pg_try_advisory_lock(:key)"), key):
            await connection.execute(text(LEADER), key)

        async def it_has_stopped() -> None:
            assert "settle payments" not in {task.get_name() for task in asyncio.all_tasks()}

        await eventually(it_has_stopped)
        yield
        await connection.invalidate()
    await house.behave(webhooks="on")
    await eventually(lambda: all_are_delivered(house))


async def all_are_delivered(house: House) -> None:
    """Later tests must not hear of it."""
    deliveries = (await house.provider.get("/simulator/deliveries")).json()
    assert [each for each in deliveries if each["due_at"] is not None] == []


@pytest.fixture
async def loop(nothing_happens_by_itself: None) -> asyncio.AbstractEventLoop:
    """Of the service."""
    return asyncio.get_running_loop()


@pytest.mark.timeout(400)
def test_nights_and_money_are_what_a_small_model_says(house: House, loop: asyncio.AbstractEventLoop) -> None:
    class Machine(ChangeSteps):
        pass

    Machine.house, Machine.loop, Machine.seen = house, loop, Counter()
    run_state_machine_as_test(
        Machine,
        settings=settings(
            max_examples=20,
            stateful_step_count=50,
            deadline=None,
            derandomize=True,
            phases=[Phase.generate],  # a step takes 20 ms: walking the same way again and again takes minutes
            database=None,
            suppress_health_check=list(HealthCheck),
        ),
    )
    assert Machine.seen.keys() >= MUST_BE_SEEN, MUST_BE_SEEN - Machine.seen.keys()
