"""`nexus import listings FILE`: opens the file, signs in, shows how far it is, and keeps what was refused beside it.

`cli.py` calls `import_file`; `importing.py` does the sending.
"""

import asyncio
import ssl
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import httpx
import typer
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

from nexus_local import importing, listings_file
from nexus_local.importing import SignIn, Stopped
from nexus_local.listings_file import Unusable
from nexus_local.report import Report
from nexus_local.state import DataFolder
from nexus_local.suite import DEMO_NAMES, Suite

ALL_ACCEPTED, SOME_REFUSED, UNUSABLE, INTERRUPTED = 0, 1, 2, 130


@dataclass(frozen=True)
class Target:
    """Where listings go, and as whom."""

    url: str
    """Of a gateway, without a trailing slash."""
    trust: ssl.SSLContext
    sign_in: SignIn

    def client(self) -> httpx.AsyncClient:
        """Of its API."""
        return httpx.AsyncClient(base_url=f"{self.url}/api/v1", verify=self.trust, timeout=60, trust_env=False)


def target(folder: DataFolder | None, url: str | None, email: str, token: str | None) -> Target:
    """The suite of a data folder, whose demo logins are known; or any other, where a password is asked for."""
    trust, known = ssl.create_default_context(), {}
    if folder is not None:
        suite = Suite.in_folder(folder)
        url = suite.gateway_url
        trust.load_verify_locations(suite.ca_file)
        known = {login["email"]: login["password"] for login in map(suite.demo_login, DEMO_NAMES)}
    assert url is not None
    if token is not None:
        return Target(url, trust, importing.sign_in_by(token))
    password = known.get(email) or typer.prompt(f"Password of {email}", hide_input=True)
    return Target(url.rstrip("/"), trust, importing.sign_in_with(email, password))


def import_file(file: Path, target: Target, report: Report, *, dry_run: bool) -> int:
    """Import a file. Returns the exit code: 0 all accepted, 1 some refused, 2 the file or the suite is of no use."""
    totals: Counter[str] = Counter()
    refused = file.with_name(f"{file.name}.refused.ndjson")
    began = time.monotonic()
    try:
        asyncio.run(_import(file, target, refused, totals, dry_run=dry_run))
    except (OSError, Unusable, Stopped) as exc:
        report.refused([str(exc)], "correct it and run again: what is there already is left as it is")
        return UNUSABLE
    except KeyboardInterrupt:
        report.note("stopped; run again to go on: what is there already is left as it is")
        return INTERRUPTED
    finally:
        _summarize(totals, refused, time.monotonic() - began, report, dry_run=dry_run)
    return SOME_REFUSED if totals["refused"] else ALL_ACCEPTED


async def _import(file: Path, target: Target, refused: Path, totals: Counter[str], *, dry_run: bool) -> None:
    with file.open("rb") as source, _lines(refused) as lines, _progress(file) as progress:
        async with target.client() as client:
            rows = listings_file.read(file, source)
            async for result in importing.send(rows, client, target.sign_in, dry_run=dry_run):
                totals += result.counts
                for each in result.refused:
                    lines.write(each.line())
                progress.update(progress.task_ids[0], completed=source.tell(), rows=_described(totals))


@contextmanager
def _lines(path: Path) -> Iterator[IO[str]]:
    """A file that stays only if something was written."""
    with path.open("w", encoding="utf-8") as lines:
        try:
            yield lines
        finally:
            if lines.tell() == 0:
                path.unlink()


def _progress(file: Path) -> Progress:
    """Drawn on a terminal and nowhere else; in bytes, because nobody knows the rows before they are read."""
    columns = (BarColumn(), TaskProgressColumn(), TimeRemainingColumn(), TextColumn("{task.fields[rows]}"))
    console = Console(stderr=True)
    progress = Progress(*columns, console=console, transient=True, disable=not console.is_terminal)
    progress.add_task(file.name, total=file.stat().st_size, rows="")
    return progress


def _described(totals: Counter[str]) -> str:
    return ", ".join(f"{totals[name]:,} {name}" for name in ("created", "updated", "unchanged", "refused"))


def _summarize(totals: Counter[str], refused: Path, seconds: float, report: Report, *, dry_run: bool) -> None:
    rows = totals.total()
    what = "would be " if dry_run else ""
    report.note(f"{what}{_described(totals)} ({rows:,} rows in {seconds:.1f} s, {rows / max(seconds, 0.001):,.0f}/s)")
    if totals["refused"]:
        report.note(f"what was refused and why: {refused}")
