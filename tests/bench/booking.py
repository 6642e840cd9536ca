"""How fast bookings are made: beside Django REST framework, and for a guest who is alone."""

import asyncio
import json
import statistics
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import asyncpg
from nexus_contracts.listings import ListingSnapshot

from tests.actors import eventually, newcomers
from tests.bench.flows import Round, Target, book_for, milliseconds, one
from tests.bench.measure import ROUNDS, Bench, Result, at_most, compared
from tests.bench.peer import django, environment, running_peer
from tests.suite import Suite

LISTINGS = 100
CLIENTS = 16
SECONDS = 6.0
TIMES = 200
PEER = "bookings_peer"


def measured(bench: Bench) -> Iterator[Result]:
    """Quote and booking of two nights, over TLS, by 16 clients. The peer is one gunicorn process and one worker, behind
    an nginx of the same build, on tables of its own in the same PostgreSQL and a stream in the same Valkey. It verifies
    the same token, applies the same rules to the same listings, locks the listing's row (`select_for_update`), writes
    nights, booking, timeline, two events and the answer under its idempotency key in one transaction, and answers the
    same, member by member, or nothing is measured; `tests/bench/peers/bookings_peer.py` says where the two differ.

    Rates are counted twice: until guests have their answers, and until search knows of every night that is gone, which
    is what can be kept up. Only when all is known does the other one's round begin, so neither works in the other's
    time. The latency is that of one client."""
    status = bench.suite.status()
    listings, token = asyncio.run(furnish(bench.suite))
    ours = Target(status["gateway"], status["ca"], {"Authorization": f"Bearer {token}"}, listings)
    shared = environment(bench.suite, "bookings")
    make_tables = [sys.executable, "-m", "bookings_peer_models"]
    subprocess.run(make_tables, env=django(PEER, shared), check=True)
    asyncio.run(furnish_peer(bench.suite))
    peer = running_peer(PEER, shared, bench.folder, ready="/ready", worker="bookings_peer_worker")
    with peer as (base, ca):
        theirs = Target(base, ca, ours.headers, listings)
        refuse_unequal(ours, theirs)
        book_for(ours, CLIENTS, 1, lambda: we_told(bench.suite))
        book_for(theirs, CLIENTS, 1, lambda: they_told(bench.suite))
        rounds = [alternately(bench.suite, ours, theirs) for _ in range(ROUNDS)]
    answered = [(mine.answered, other.answered) for mine, other in rounds]
    yield compared("bookings beside Django's, answered/s", answered, 3)
    told = [(mine.told, other.told) for mine, other in rounds]
    yield compared("bookings beside Django's, known to search/s", told, 3)
    (latencies,) = asyncio.run(milliseconds([ours], TIMES))
    yield at_most("quote, one client, p50, ms", statistics.median(latencies.quotes), 15)


def alternately(suite: Suite, ours: Target, theirs: Target) -> tuple[Round, Round]:
    """One round of each."""
    return (
        book_for(ours, CLIENTS, SECONDS, lambda: we_told(suite)),
        book_for(theirs, CLIENTS, SECONDS, lambda: they_told(suite)),
    )


async def furnish(suite: Suite) -> tuple[list[str], str]:
    """Listings that bookings has heard of, and the access token of somebody who books them."""
    async with newcomers(suite, "Hanna Host", "Gebre Guest") as (host, guest):
        listings = [(await host.publish_listing(title=f"House {number}"))["id"] for number in range(LISTINGS)]
        token = str((await guest.sign_in())["access_token"])

    async def heard() -> bool:
        return await count(suite.database_url("bookings"), "listing_copies") == LISTINGS

    await eventually(heard)
    return listings, token


async def furnish_peer(suite: Suite) -> None:
    """The same listings, from the copies that bookings keeps."""
    connection = await asyncpg.connect(suite.database_url("bookings"))
    copies = await connection.fetch("SELECT snapshot FROM listing_copies")
    rows = [_row(ListingSnapshot.model_validate_json(each["snapshot"])) for each in copies]
    columns = ", ".join(rows[0])
    places = ", ".join(f"${number}" for number in range(1, len(rows[0]) + 1))
    await connection.executemany(
        f"INSERT INTO peer_listings ({columns}) VALUES ({places})",  # noqa: S608 - names of columns
        [tuple(row.values()) for row in rows],
    )
    await connection.close()


def _row(listing: ListingSnapshot) -> dict[str, Any]:
    same = (
        *("id", "host_id", "status", "title", "timezone", "capacity", "units", "min_nights", "max_nights"),
        *("instant_book", "cancellation_policy", "included_guests", "advance_notice_hours", "booking_window_days"),
        *("check_in_time", "check_out_time"),
    )
    documents = listing.model_dump(mode="json", include={"rates", "length_discounts", "cancellation_tiers"})
    return {
        **{name: getattr(listing, name) for name in same},
        **{name: json.dumps(document) for name, document in documents.items()},
        "price": listing.price.amount,
        "cleaning_fee": listing.cleaning_fee.amount,
        "currency": listing.price.currency,
        "extra_guest_fee": listing.extra_guest_fee and listing.extra_guest_fee.amount,
        "nights_version": 0,
    }


OWN = {"id", "valid_until", "expires_at", "created_at"}
"""Of each answer: its number, and instants that follow from when it was made."""


def refuse_unequal(ours: Target, theirs: Target) -> None:
    """Raise unless both answer the same stay with the same members, and the same in them."""
    for mine, other in zip(asyncio.run(one(ours)), asyncio.run(one(theirs)), strict=True):
        differ = mine.keys() ^ other.keys() | {name for name in mine.keys() - OWN if mine[name] != other.get(name)}
        if differ:
            raise RuntimeError(f"the peer answers otherwise in {sorted(differ)}: {mine} {other}")


async def we_told(suite: Suite) -> bool:
    """Whether listings knows of all nights that bookings has sold."""
    sold = await count(suite.database_url("bookings"), "nights")
    return await count(suite.database_url("listings"), "sold_out_nights") == sold


async def they_told(suite: Suite) -> bool:
    """The same, of the peer."""
    database = suite.database_url("bookings")
    return await count(database, "peer_sold_out_nights") == await count(database, "peer_nights")


async def count(database: str, table: str) -> int:
    """Its rows."""
    connection = await asyncpg.connect(database)
    found: int = await connection.fetchval(f"SELECT count(*) FROM {table}")  # noqa: S608 - a name of ours
    await connection.close()
    return found
