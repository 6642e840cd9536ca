"""`make bench`: measures the suite, writes docs/performance.md and build/bench.json. `ARGS=Searching` runs one section.

Nothing here is a test with a clock: it reports, and its exit code is 0 whatever it finds.
"""

import inspect
import json
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path

from rich.console import Console
from rich.table import Table

from tests.bench import booking, booking_at_scale, importing, pages, running, search_at_scale
from tests.bench.measure import Bench, Result, Section
from tests.suite import running_suite

SECTIONS: dict[str, Section] = {
    "Running": running.measured,
    "Searching": pages.measured,
    "Searching at scale": search_at_scale.measured,
    "Importing": importing.measured,
    "Booking": booking.measured,
    "Booking at scale": booking_at_scale.measured,
}
"""A section yields its results; its docstring says in the document how it measured."""

DOCUMENT = Path("docs/performance.md")
JSON = Path("build/bench.json")
PREFACE = """# Performance

Written by `make bench`, which measures all of this in one run on one machine, the load generator on the same cores.
Another machine has other numbers. What can be compared is the ratio to what was measured beside ours, in turn with it.
"""


def main(wanted: Sequence[str]) -> None:
    """Run the sections, print the table, write the files: the document only when nothing was left out."""
    results: dict[str, list[Result]] = {}
    for name in wanted or SECTIONS:
        with running_suite() as suite, tempfile.TemporaryDirectory() as folder:
            results[name] = list(SECTIONS[name](Bench(suite, Path(folder))))
        Console().print(table(name, results[name]))
    JSON.parent.mkdir(exist_ok=True)
    JSON.write_text(json.dumps({name: [asdict(each) for each in found] for name, found in results.items()}, indent=1))
    if not wanted:
        DOCUMENT.write_text(document(results))
    print(f"written to {JSON}" + ("" if wanted else f" and {DOCUMENT}"))


def table(name: str, results: list[Result]) -> Table:
    """For the terminal."""
    drawn = Table(*COLUMNS, title=name)
    for result in results:
        drawn.add_row(*cells(result))
    return drawn


def document(results: Mapping[str, list[Result]]) -> str:
    """For the repository."""
    return "\n".join([PREFACE, verdict(results), *(section(name, found) for name, found in results.items())])


def verdict(results: Mapping[str, list[Result]]) -> str:
    """What a hurried reader must know: how many targets are reached, and which are not."""
    everything = [result for found in results.values() for result in found]
    missed = [
        f"- NO: {result.name}, {result.ratio:g} instead of {result.target}" for result in everything if not result.holds
    ]
    return "\n".join([f"{len(everything) - len(missed)} of {len(everything)} targets are reached.", *missed, ""])


def section(name: str, results: list[Result]) -> str:
    """A heading, how it was measured, and the table."""
    rows = [COLUMNS, ("---", *["---:"] * 4, "---"), *(cells(each) for each in results)]
    lines = "\n".join(f"| {' | '.join(row)} |" for row in rows)
    return f"## {name}\n\n{inspect.getdoc(SECTIONS[name])}\n\n{lines}\n"


COLUMNS = ("measured", "ratio", "target", "ours", "beside", "holds")


def cells(result: Result) -> tuple[str, ...]:
    """One line, the ratio first."""
    holds = "yes" if result.holds else "NO"
    return (result.name, f"{result.ratio:g}", result.target, f"{result.ours:,g}", f"{result.reference:,g}", holds)


if __name__ == "__main__":
    main(sys.argv[1:])
