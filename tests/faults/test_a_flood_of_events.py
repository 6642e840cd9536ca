"""The worker and the service that it delivers to are killed in the middle of a flood of events: each arrives once."""

import asyncio
from datetime import date, timedelta
from functools import partial
from uuid import UUID, uuid4

from nexus_contracts.bookings import NightsChanged
from nexus_kit.db import Database
from nexus_kit.outbox import emit

from tests.actors import eventually
from tests.faults.test_nothing_is_lost import rows
from tests.suite import Suite

LISTINGS, VERSIONS = 10, 50
FIRST = date.today() + timedelta(days=30)  # noqa: DTZ011 - a date well ahead in any zone


async def test_of_five_hundred_changes_each_arrives_once_though_both_ends_are_killed(suite: Suite) -> None:
    listings = [uuid4() for _ in range(LISTINGS)]
    already = await applied(suite)

    flood = asyncio.create_task(announce(suite, listings))
    await eventually(partial(so_many_are_applied, suite, already + LISTINGS * VERSIONS // 10))
    restarts = {victim: suite.kill(victim) for victim in ("listings", "worker")}
    assert not flood.done(), "in the middle"
    for victim, before in restarts.items():
        await asyncio.to_thread(suite.await_recovery, victim, before)
    await flood

    await eventually(partial(so_many_are_applied, suite, already + LISTINGS * VERSIONS))
    for listing in listings:
        known = await rows(
            suite, "listings", "SELECT night, sold_out, sequence FROM sold_out_nights WHERE listing_id = $1", listing
        )
        assert {row["night"]: (row["sold_out"], row["sequence"]) for row in known} == {
            FIRST: (VERSIONS % 2 == 1, VERSIONS),
            **{FIRST + timedelta(days=version): (True, version) for version in range(1, VERSIONS + 1)},
        }
    assert await rows(suite, "worker", "SELECT reaction FROM dead_letters") == []


async def announce(suite: Suite, listings: list[UUID]) -> None:
    """As bookings does: of each listing one night that is sold and freed again and again, and each time one more."""
    database = Database(suite.database_url("bookings").replace("postgresql", "postgresql+asyncpg"))
    for version in range(1, VERSIONS + 1):
        again, once = FIRST, FIRST + timedelta(days=version)
        sold_out, freed = ([again, once], []) if version % 2 else ([once], [again])
        async with database.unit_of_work() as session:
            for listing in listings:
                await emit(session, NightsChanged(listing_id=listing, sold_out=sold_out, freed=freed), sequence=version)
        await asyncio.sleep(0.2)
    await database.engine.dispose()


async def applied(suite: Suite) -> int:
    [row] = await rows(suite, "listings", "SELECT count(*) FROM inbox")
    return int(row["count"])


async def so_many_are_applied(suite: Suite, count: int) -> None:
    assert await applied(suite) >= count
