"""How fast search pages are: the gateway beside its own plain files, the service beside Django REST framework."""

import asyncio
import time
from collections.abc import Callable, Iterator

import httpx
import psutil

from tests.actors import newcomers
from tests.bench.load import requests_per
from tests.bench.measure import Bench, Result, in_turn
from tests.bench.peer import environment, running_peer
from tests.suite import Suite

LISTINGS = 60
SECONDS = 3.0


def measured(bench: Bench) -> Iterator[Result]:
    """A page of 20 listings, over TLS, 16 connections. Beside the hot search stands a file of the same size, served by
    the same nginx; the load generator is slower than both, so they count by second of CPU time of all that serves them.
    The peer is one gunicorn process behind an nginx of the same build, on the same PostgreSQL, Valkey and listings. It
    answers cards of the same fields, and verifies the caller's token as ours does: once, and every two seconds whether
    its session lives. In an uncached search every request asks for another `max_price`: ours looks the page up, does
    not find it, computes it and stores it; the peer only computes it, or, in the last line, does all that ours does."""
    suite = bench.suite
    token = asyncio.run(furnish(suite))
    status = suite.status()
    page, ca = f"{status['gateway']}/api/v1/listings", status["ca"]
    me = {"Authorization": f"Bearer {token}"}

    used = cpu_seconds(suite)
    file = plain_file(suite, len(httpx.get(page, verify=suite.tls).content))
    yield in_turn(
        "anonymous hot search beside a file, requests per CPU second",
        lambda: requests_per(used, page, ca, {}, SECONDS),
        lambda: requests_per(used, file, ca, {}, SECONDS),
        0.6,
    )
    shared = environment(suite, "listings")
    with running_peer("listings_peer", shared, bench.folder, ready="/ready") as (peer, peer_ca):

        def beside(name: str, query: str, theirs: str, target: float) -> Result:
            return in_turn(
                name,
                lambda: requests_per(time.perf_counter, page + query, ca, me, SECONDS),
                lambda: requests_per(time.perf_counter, f"{peer}/{theirs}/listings{query}", peer_ca, me, SECONDS),
                target,
            )

        yield beside("signed-in cached search beside Django's, requests/s", "", "cached", 3)
        yield beside("uncached search beside Django's without a cache, requests/s", "?max_price={n}", "uncached", 2)
        yield beside("uncached search beside Django's, both to be cached, requests/s", "?max_price={n}", "cached", 2)


async def furnish(suite: Suite) -> str:
    """Enough listings for full pages; returns the access token of somebody who is signed in."""
    async with newcomers(suite, "Hanna Host") as (host,):
        for number in range(LISTINGS):
            await host.publish_listing(
                title=f"House number {number}", price={"amount": 10000 + number, "currency": "ETB"}
            )
        return str((await host.sign_in())["access_token"])


def plain_file(suite: Suite, size: int) -> str:
    """The address of a file of this size that the gateway serves: it takes the place of the portal's own."""
    (suite.data / "portal" / "portal.json").write_bytes(b"x" * size)
    return f"{suite.status()['gateway']}/portal.json"


def cpu_seconds(suite: Suite) -> Callable[[], float]:
    """A clock: what the processes that answer a search have used."""
    roots = [psutil.Process(suite.process(name)["pid"]) for name in ("gateway", "listings", "postgres", "valkey")]
    processes = [each for root in roots for each in (root, *root.children(recursive=True))]
    return lambda: sum(times.user + times.system for times in (each.cpu_times() for each in processes))
