"""How long a booking takes with ten million nights taken, and how much longer than with ten thousand.

`make bench ARGS="'Booking at scale'"` runs it alone.
"""

import asyncio
import contextlib
import os
import statistics
import subprocess
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import asyncpg
import httpx
from nexus_kit.testing import create_database
from nexus_local.state import DataFolder
from nexus_local.suite import Suite as LocalSuite
from nexus_local.topology import topology

from tests.bench.booking import furnish
from tests.bench.flows import Target, milliseconds
from tests.bench.measure import Bench, Result, at_most
from tests.servers import free_port
from tests.suite import Suite

FEW, MANY = 10_000, 10_000_000
TIMES, WARM_UP = 300, 50
ALEMBIC = Path(__file__).parents[2] / "services/bookings/alembic.ini"
NIGHTS_PER_LISTING = 400
FILL = f"""
    ALTER TABLE nights DROP CONSTRAINT fk_nights_booking_id_bookings;
    INSERT INTO nights (listing_id, night, unit, booking_id)
    SELECT listing_id, current_date + stay * 5 + night, 1, booking_id
      FROM (SELECT uuidv7() AS listing_id FROM generate_series(1, %d)) AS listings,
           LATERAL (SELECT stay, uuidv7() AS booking_id FROM generate_series(0, {NIGHTS_PER_LISTING // 5 - 1}) AS stay
                     WHERE listing_id IS NOT NULL) AS bookings,
           generate_series(0, 4) AS night;
    ALTER TABLE nights
      ADD CONSTRAINT fk_nights_booking_id_bookings FOREIGN KEY (booking_id) REFERENCES bookings NOT VALID;
"""  # noqa: S608 - a number of ours
"""Stays of five nights in listings of their own. Their bookings are not made: only `nights` is to be large."""


def measured(bench: Bench) -> Iterator[Result]:
    """One client books at two processes of the bookings service, without a gateway, each on a database of its own in
    the same PostgreSQL: one booking here, one there, in turn. Both databases are vacuumed and analysed, and what the
    fill left to be written is written, before the first. Nobody consumes the events meanwhile."""
    yield asyncio.run(_measure(bench.suite))


async def _measure(suite: Suite) -> Result:
    async with _service(suite, FEW, 3) as few, _service(suite, MANY, 4) as many:
        listings, token = await furnish(suite)
        targets = [Target(base, None, {"Authorization": f"Bearer {token}"}, listings) for base in (few, many)]
        await _settled(suite)
        latencies = await milliseconds(targets, TIMES)
    usual, large = (statistics.median(each.bookings[WARM_UP:]) for each in latencies)
    return at_most("booking with 10,000,000 to 10,000 nights taken, p50, ms", large, usual, 1.5)


@contextlib.asynccontextmanager
async def _service(suite: Suite, nights: int, events: int) -> AsyncIterator[str]:
    """The suite's own command and environment, but for the port, the database, and where events go."""
    url = await create_database(_superuser(suite), f"nexus_bookings_{nights}", ALEMBIC)
    connection = await asyncpg.connect(url.replace("+asyncpg", ""))
    await connection.execute(FILL % (nights // NIGHTS_PER_LISTING))
    await connection.execute("VACUUM (ANALYZE)")
    await connection.close()
    local, port = LocalSuite.in_folder(DataFolder(suite.data)), free_port()
    process = next(each for each in topology(local, seed=False) if each.name == "bookings")
    own = {"NEXUS_DATABASE_URL": url, "NEXUS_EVENTS_URL": local.valkey_url(events), **suite.environment}
    command = [f"--port={port}" if part.startswith("--port=") else part for part in process.command]
    service = subprocess.Popen(  # noqa: ASYNC220 - it only starts it
        command, env={**os.environ, **process.environment, **own}, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        base = f"http://127.0.0.1:{port}"
        await _ready(f"{base}/readyz")
        yield base
    finally:
        service.terminate()
        service.wait(30)


async def _ready(url: str) -> None:
    async with httpx.AsyncClient() as client:
        for _ in range(300):
            with contextlib.suppress(httpx.TransportError):
                if (await client.get(url)).is_success:
                    return
            await asyncio.sleep(0.1)
    raise RuntimeError(f"{url} does not get ready")


async def _settled(suite: Suite) -> None:
    """Nothing of the fill is left to be done: neither pages to be written nor rows to be counted."""
    connection = await asyncpg.connect(_superuser(suite))
    await connection.execute("CHECKPOINT")
    busy = "SELECT EXISTS (SELECT FROM pg_stat_activity WHERE backend_type = 'autovacuum worker')"
    while await connection.fetchval(busy):  # noqa: ASYNC110 - nothing tells when it is over
        await asyncio.sleep(1)
    await connection.close()


def _superuser(suite: Suite) -> str:
    return LocalSuite.in_folder(DataFolder(suite.data)).postgres_url()
