"""How fast listings come in: the command that a host runs, through the gateway, into the database."""

import asyncio
import json
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

from nexus_local.seed.listings import listings

from tests.actors import newcomers
from tests.bench.measure import Bench, Result, at_least
from tests.suite import NEXUS

ROWS = 30_000
PER_SECOND = 3_000


def measured(bench: Bench) -> Iterator[Result]:
    """`nexus import listings` with 30,000 of the demo's listings, from the start of the command to its end."""
    file = bench.folder / "listings.ndjson"
    with file.open("w") as lines:
        lines.writelines(json.dumps(listing) + "\n" for listing in listings(ROWS, seed=2))
    token = asyncio.run(_token(bench))
    yield at_least("import, new listings/s", _rate(bench, file, token), PER_SECOND, 1)


async def _token(bench: Bench) -> str:
    async with newcomers(bench.suite, "Hanna Host") as (host,):
        return str((await host.sign_in())["access_token"])


def _rate(bench: Bench, file: Path, token: str) -> float:
    command: list[str | Path] = [NEXUS, "import", "listings", file, "--data-dir", bench.suite.data, "--token", token]
    began = time.perf_counter()
    subprocess.run(command, check=True, capture_output=True)
    return ROWS / (time.perf_counter() - began)
