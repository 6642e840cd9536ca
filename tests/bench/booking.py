"""How fast bookings are made: beside Django REST framework, alone, and with ten million nights taken."""

import asyncio
import os
import statistics
import subprocess
import sys
from collections.abc import Iterator
from uuid import uuid4

import asyncpg

from tests.actors import newcomers
from tests.bench.flows import Target, bookings_per_second, milliseconds
from tests.bench.measure import Bench, Result, at_most, in_turn
from tests.bench.peer import PEERS, running_peer

LISTINGS = 100
CLIENTS = 16
SECONDS = 4.0
TIMES = 150

FILL = """
    ALTER TABLE nights DROP CONSTRAINT fk_nights_booking_id_bookings;
    INSERT INTO nights (listing_id, night, unit, booking_id)
    SELECT listing_id, current_date + stay * 5 + night, 1, booking_id
      FROM (SELECT uuidv7() AS listing_id FROM generate_series(1, 25000)) AS listings,
           LATERAL (SELECT stay, uuidv7() AS booking_id FROM generate_series(0, 79) AS stay
                     WHERE listing_id IS NOT NULL) AS bookings,
           generate_series(0, 4) AS night;
    ALTER TABLE nights
      ADD CONSTRAINT fk_nights_booking_id_bookings FOREIGN KEY (booking_id) REFERENCES bookings NOT VALID;
    ANALYZE nights;
"""
"""Stays of five nights in listings of their own. Their bookings are not made: only `nights` is to be large."""


def measured(bench: Bench) -> Iterator[Result]:
    """Quote and booking of two nights, over TLS, each with its idempotency key. The peer is one gunicorn process
    behind an nginx of the same build, on tables of its own in the same PostgreSQL; it locks the listing's row
    (`select_for_update`), writes nights, booking, event and answer in one transaction, and does not authenticate.
    16 clients in the comparison, one for latencies. Ten million nights are taken in 25,000 other listings."""
    ours, database = asyncio.run(furnish(bench)), bench.suite.database_url("bookings")
    environment = {"PEER_DATABASE": database, "PYTHONPATH": str(PEERS)}
    make_tables = {**os.environ, **environment, "PEER_SETUP": "1"}
    subprocess.run([sys.executable, "-c", "import bookings_peer"], env=make_tables, check=True)
    listings = asyncio.run(furnish_peer(database))
    with running_peer("bookings_peer", environment, bench.folder, ready="/ready") as (base, ca):
        theirs = Target(base, ca, {"X-Guest": str(uuid4())}, listings)
        yield in_turn(
            "bookings beside Django's, bookings/s",
            lambda: bookings_per_second(ours, CLIENTS, SECONDS),
            lambda: bookings_per_second(theirs, CLIENTS, SECONDS),
            3,
        )
    quotes, before = milliseconds(ours, TIMES)
    yield at_most("quote, one client, p50, ms", statistics.median(quotes), 15)
    asyncio.run(execute(database, FILL))
    _, after = milliseconds(ours, TIMES)
    yield at_most(
        "booking with 10,000,000 nights taken, p50, ms", statistics.median(after), statistics.median(before), 1.5
    )


async def furnish(bench: Bench) -> Target:
    """Listings, and somebody who books them."""
    status = bench.suite.status()
    async with newcomers(bench.suite, "Hanna Host", "Gebre Guest") as (host, guest):
        listings = [(await host.publish_listing(title=f"House {number}"))["id"] for number in range(LISTINGS)]
        token = (await guest.sign_in())["access_token"]
    return Target(status["gateway"], status["ca"], {"Authorization": f"Bearer {token}"}, listings)


async def furnish_peer(database: str) -> list[str]:
    """The same listings, as far as the peer asks."""
    ids = [uuid4() for _ in range(LISTINGS)]
    connection = await asyncpg.connect(database)
    await connection.executemany(
        """INSERT INTO peer_listings (id, title, host_id, units, capacity, min_nights, max_nights, price, cleaning_fee,
            currency, timezone) VALUES ($1, 'House', $2, 1, 4, 1, 30, 450000, 50000, 'ETB', 'Africa/Addis_Ababa')""",
        [(each, uuid4()) for each in ids],
    )
    await connection.close()
    return [str(each) for each in ids]


async def execute(database: str, statements: str) -> None:
    """As the service's own role."""
    connection = await asyncpg.connect(database)
    await connection.execute(statements)
    await connection.close()
