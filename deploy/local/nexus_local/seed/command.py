"""Makes the demo data, as far as it is missing: `nexus seed` and, at the first start, `nexus up` call `seed`.

The accounts come from auth's own seed; listings and bookings go through the public API, as anybody's would.
"""

import asyncio
import json
import os
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator

import httpx
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TimeRemainingColumn

from nexus_local import importing
from nexus_local.import_command import Target, target
from nexus_local.importing import Stopped
from nexus_local.listings_file import Row
from nexus_local.seed.bookings import make_bookings
from nexus_local.seed.changes import make_changes
from nexus_local.seed.listings import listings
from nexus_local.seed.payouts import make_payout
from nexus_local.seed.pictures import Picture, draw
from nexus_local.state import DataFolder
from nexus_local.suite import DEMO_NAMES, Suite
from nexus_local.topology import topology

SIZES = {"small": 60, "large": 200_000}
SHOWN = 12
"""So many have a picture, the first ones."""


def seed(folder: DataFolder, size: str, number: int) -> None:
    """Safe to run again: what is there is left alone. Raises `Stopped` when the suite does not take it."""
    suite = Suite.in_folder(folder)
    _make_accounts(suite)
    where = target(folder, None, suite.demo_login("host")["email"], None)
    asyncio.run(_make_listings(where, SIZES[size], number))
    asyncio.run(make_bookings(suite))
    asyncio.run(make_changes(suite))
    asyncio.run(make_payout(suite))
    folder.seeded.touch()


def _make_accounts(suite: Suite) -> None:
    auth = next(process for process in topology(suite, seed=False) if process.name == "auth")
    accounts = [
        {
            **suite.demo_login(person),
            "full_name": name,
            "roles": ["user", "admin"] if person == "admin" else ["user"],
        }
        for person, name in DEMO_NAMES.items()
    ]
    subprocess.run(
        [sys.executable, "-m", "nexus_auth.seed"],
        input="\n".join(map(json.dumps, accounts)),
        env={**os.environ, **auth.environment},
        check=True,
        text=True,
    )
    print(f"{len(accounts)} demo logins are there")


async def _make_listings(where: Target, count: int, number: int) -> None:
    totals: Counter[str] = Counter()
    shown: dict[int, str] = {}
    async with where.client() as client:
        with _progress(count) as progress:
            async for result in importing.send(_rows(count, number), client, where.sign_in):
                if result.refused:
                    raise Stopped(f"a demo listing was refused: {result.refused[0].line()}")
                totals += result.counts
                shown |= {row: listing for row, listing in result.kept.items() if row <= SHOWN}
                progress.update(progress.task_ids[0], completed=totals.total())
        print(f"{totals.total():,} demo listings are there, {totals['created']:,} of them new")
        for row, listing_id in shown.items():
            await _upload(client, listing_id, draw(number * 1000 + row))
        print(f"{len(shown)} of them have a picture")


async def _upload(client: httpx.AsyncClient, listing_id: str, picture: Picture) -> None:
    """A picture that is there already is known by its bytes."""
    answer = await client.post(
        f"/listings/{listing_id}/photos",
        content=picture.jpeg,
        params={"alt": picture.alt},
        headers={"Content-Type": "image/jpeg"},
    )
    if not answer.is_success:
        raise Stopped(f"a picture was refused: {answer.text}")


def _rows(count: int, number: int) -> Iterator[Row]:
    return (Row(place, listing) for place, listing in enumerate(listings(count, number), start=1))


def _progress(count: int) -> Progress:
    console = Console(stderr=True)
    columns = (BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    progress = Progress(*columns, console=console, transient=True, disable=not console.is_terminal)
    progress.add_task("listings", total=count)
    return progress
