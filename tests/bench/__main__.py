"""`make bench`: measures the suite, side by side with a peer in the same run, and writes build/bench.json.

Rates are taken in turn, ours and the peer's, several times; the median of the ratios counts, because this is fair on a
machine whose speed drifts. Nothing here is a test with a clock: it reports, and its exit code is 0 whatever it finds.
"""

import asyncio
import json
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

import psutil
from rich.console import Console
from rich.table import Table

from tests.actors import Actor, newcomers
from tests.bench.load import requests_per_second
from tests.bench.peer import running_peer
from tests.suite import Suite, running_suite

OUTPUT = Path("build/bench.json")
LISTINGS = 60
ROUNDS = 3
SECONDS = 3.0
MIB = 1024 * 1024


@dataclass(frozen=True)
class Result:
    """One line of the table. `ratio` is ours / reference; `target` says which side of which number it should be on."""

    name: str
    ours: float
    reference: float
    ratio: float
    target: str
    holds: bool


def at_least(name: str, ours: float, reference: float, target: float, ratio: float | None = None) -> Result:
    """Higher is better: ours should be at least `target` times the reference."""
    measured = ours / reference if ratio is None else ratio
    return Result(name, round(ours, 1), round(reference, 1), round(measured, 2), f">= {target}", measured >= target)


def at_most(name: str, ours: float, limit: float) -> Result:
    """Lower is better: ours should be at most the limit."""
    return Result(name, round(ours, 2), limit, round(ours / limit, 2), "<= 1", ours <= limit)


def main() -> None:
    """Run everything, print the table, write the file."""
    results: list[Result] = []
    with running_suite() as suite, tempfile.TemporaryDirectory() as folder:
        results.append(at_most("warm `make up` to ready, seconds", warm_start(suite), 10))
        results.append(at_most("idle suite, MiB resident", resident(suite) / MIB, 1.2 * 1024))
        token = asyncio.run(furnish(suite))
        results += list(rates(suite, token, Path(folder)))
    report(results)


def warm_start(suite: Suite) -> float:
    """Seconds from `nexus up` to ready with data, certificates and virtual environment in place."""
    suite.stop()
    started = time.perf_counter()
    suite.start()
    return time.perf_counter() - started


def resident(suite: Suite) -> int:
    """Bytes of all processes together after some rest, pages that they share counted once (PSS)."""
    time.sleep(20)
    supervisor = psutil.Process(suite.status()["supervisor"]["pid"])
    processes = [supervisor, *supervisor.children(recursive=True)]
    return sum(process.memory_full_info().pss for process in processes)


async def furnish(suite: Suite) -> str:
    """Enough listings for full pages; returns the access token of somebody who is signed in."""
    async with newcomers(suite, "Hanna Host") as (host,):
        for number in range(LISTINGS):
            await host.publish_listing(
                title=f"House number {number}", price={"amount": 10000 + number, "currency": "ETB"}
            )
        return await token_of(host)


async def token_of(person: Actor) -> str:
    """A fresh access token."""
    pair = await person.sign_in()
    return str(pair["access_token"])


def rates(suite: Suite, token: str, folder: Path) -> Iterator[Result]:
    """The listings page through the gateway, beside the peer's."""
    status = suite.status()
    page = f"{status['gateway']}/api/v1/listings"
    cache = f"redis://:{suite.secrets.valkey_password}@127.0.0.1:{status['valkey']['port']}/2"
    with running_peer(suite.database_url("listings"), cache, folder) as (peer, peer_ca):

        def peers() -> float:
            return requests_per_second(f"{peer}/cached/listings", peer_ca, {}, SECONDS)

        def anonymous() -> float:
            return requests_per_second(page, status["ca"], {}, SECONDS)

        def signed_in() -> float:
            return requests_per_second(page, status["ca"], {"Authorization": f"Bearer {token}"}, SECONDS)

        yield in_turn("anonymous hot search, requests/s", anonymous, peers, 5)
        yield in_turn("signed-in cached search, requests/s", signed_in, peers, 2)


def in_turn(name: str, ours: Callable[[], float], peers: Callable[[], float], target: float) -> Result:
    """Measure both alternately; medians of each, and of the ratio of each round."""
    pairs = [(ours(), peers()) for _ in range(ROUNDS)]
    ratio = statistics.median(mine / theirs for mine, theirs in pairs)
    mine, theirs = (statistics.median(column) for column in zip(*pairs, strict=True))
    return at_least(name, mine, theirs, target, ratio)


def report(results: list[Result]) -> None:
    """Print the table and write the file."""
    table = Table("measured", "ours", "reference", "ratio", "target", "holds")
    for result in results:
        table.add_row(
            result.name,
            f"{result.ours:,}",
            f"{result.reference:,}",
            str(result.ratio),
            result.target,
            "yes" if result.holds else "NO",
        )
    Console().print(table)
    OUTPUT.parent.mkdir(exist_ok=True)
    OUTPUT.write_text(json.dumps([asdict(result) for result in results], indent=1) + "\n")
    print(f"written to {OUTPUT}")


if __name__ == "__main__":
    main()
