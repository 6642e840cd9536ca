"""Everything that `nexus up` says: one line per step, the closing box, and what to do when something fails.

The supervisor reports steps and deaths; the commands print the box and failures.
"""

import json
import re
from collections.abc import Iterable, Mapping
from pathlib import Path

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from nexus_local.suite import DEMO_NAMES, DOCUMENTED, Suite

LAST_LINES = 20

_HINTS = (
    (r"error while loading shared libraries: (\S+?):", "Install the system package that holds {0}, then try again."),
    (r"No space left on device|ENOSPC|disk full", "The disk is full: free some space, or choose another --data-dir."),
    (r"Address (?:already )?in use|EADDRINUSE", "A port was taken meanwhile: `nexus doctor` names its holder."),
    (
        r"Exec format error|wrong ELF class|cannot execute binary",
        "This program was built for another kind of machine: remove .venv and run `make venv` here.",
    ),
    (r"No module named '?([\w.]+)", "{0} is not installed: run `make venv`."),
    (r"Permission denied", "This account may not use that file: `nexus doctor` checks the data folder."),
    (r"pydantic_core\._pydantic_core\.ValidationError", "A setting is missing or wrong: see .env.example."),
    (
        r"database files are incompatible|incompatible with this version",
        "The data was written by another PostgreSQL: `nexus reset` starts afresh.",
    ),
    (r"signal 9\b", "Somebody killed it; if nobody did, the machine ran out of memory."),
)
_NO_HINT = "Its whole log is named above; `nexus doctor` checks this machine."


def hint(text: str) -> str:
    """What to do about a failure that says this."""
    for pattern, advice in _HINTS:
        if found := re.search(pattern, text, re.IGNORECASE):
            return advice.format(*found.groups())
    return _NO_HINT


def last_lines(log: Path, count: int = LAST_LINES) -> list[str]:
    """The end of a log; nothing if there is none."""
    try:
        return log.read_text(errors="replace").splitlines()[-count:]
    except FileNotFoundError:
        return []


class Report:
    """Writes to one console."""

    def __init__(self, console: Console | None = None) -> None:
        self._console = console or Console(highlight=False)

    def note(self, text: str) -> None:
        """Something to know, without a step of its own."""
        self._say(f"  [dim]·[/] {escape(text)}")

    def done(self, name: str, seconds: float) -> None:
        """A step of the start."""
        self._say(f"  [green]✓[/] {name:<12} [dim]{seconds:5.1f} s[/]")

    def ready(self, seconds: float) -> None:
        """All steps together."""
        self._say(f"  [bold green]Ready in {seconds:.1f} s[/]")

    def died(self, name: str, how: str, delay: float) -> None:
        """A process that is about to be started again."""
        self._say(f"  [yellow]![/] {name} {escape(how)}; starting it again in {delay:.1f} s")

    def back(self, name: str, seconds: float) -> None:
        """A process that has been started again."""
        self._say(f"  [green]✓[/] {name:<12} [dim]back after {seconds:.1f} s[/]")

    def failed(self, name: str, reason: str, log: Path, output: str = "") -> None:
        """Name, how it ended, its last words, and what to do."""
        lines = output.splitlines()[-LAST_LINES:] or last_lines(log)
        self._say(f"\n[bold red]✗ {name} {escape(reason)}[/]")
        if lines:
            self._say(f"  The last lines of {escape(str(log))}:" if not output else "  It said:")
            self.lines(f"    {line}" for line in lines)
        self._say(f"  [bold]What to do:[/] {escape(hint(chr(10).join([reason, *lines])))}")

    def refused(self, reasons: Iterable[str], advice: str) -> None:
        """Nothing was started, and why."""
        for reason in reasons:
            self._say(f"[bold red]✗ {escape(reason)}[/]")
        self._say(f"  [bold]What to do:[/] {escape(advice)}")

    def finding(self, subject: str, detail: str, advice: str) -> None:
        """One line of `nexus doctor`."""
        mark = "[red]✗ failed[/]" if advice else "[green]✓ ok[/]    "
        self._say(f"  {mark} {subject:<14} {escape(detail)}")
        if advice:
            self._say(f"{'':<26} [bold]What to do:[/] {escape(advice)}")

    def box(self, suite: Suite) -> None:
        """Where everything is. No side borders, so that a command can be copied out of it."""
        guest, ca = suite.demo_login("guest"), _short(suite.ca_file)
        gateway = suite.gateway_url
        self._rule("Nexus is ready")
        self._say(f"  Gateway    {gateway}   [dim](its CA: {escape(ca)})[/]")
        for number, name in enumerate(DOCUMENTED):
            self._say(f"  {'Docs' if number == 0 else '':<10} {gateway}/{name}/docs")
        self._say(f"  Mail       {suite.browser_url('mail')}")
        self._say(f"  Payments   {suite.browser_url('payments')}")
        for number, person in enumerate(DEMO_NAMES):
            login = suite.demo_login(person)
            self._say(f"  {'Logins' if number == 0 else '':<10} {login['email']:<22} {login['password']}")
        self._say("")
        post = f"-H 'Content-Type: application/json' -d '{json.dumps(guest, separators=(',', ':'))}'"
        self.lines(
            [
                f"  curl --cacert {ca} '{gateway}/api/v1/listings?limit=3'",
                f"  curl --cacert {ca} {post} {gateway}/api/v1/auth/login",
            ]
        )
        self._rule("")

    def table(self, rows: Mapping[str, Mapping[str, object]]) -> None:
        """One row per process, as `nexus status` knows it."""
        table = Table(box=None, pad_edge=False)
        for column in ("name", "pid", "state", "url", "restarts"):
            table.add_column(column, justify="right" if column in {"pid", "restarts"} else "left", no_wrap=True)
        for name, row in rows.items():
            colour = "green" if row["state"] == "ready" else "yellow"
            table.add_row(
                name, str(row["pid"] or "-"), f"[{colour}]{row['state']}[/]", str(row["url"]), str(row["restarts"])
            )
        self._console.print(table)

    def lines(self, lines: Iterable[str]) -> None:
        """As they are: never wrapped, coloured or read as markup."""
        for line in lines:
            self._console.print(line, markup=False, soft_wrap=True)

    def _say(self, text: str) -> None:
        self._console.print(text, soft_wrap=True)

    def _rule(self, title: str) -> None:
        self._console.rule(f"[bold]{title}[/]" if title else "", align="left", style="dim")


def _short(path: Path) -> str:
    """Relative to where we are, if it lies below."""
    here = Path.cwd()
    return str(path.relative_to(here)) if path.is_relative_to(here) else str(path)
