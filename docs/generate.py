"""Writes the documents that repeat what the code says: `make docs`. A test fails when one of them is out of date.

docs/events.md from `contracts/`, the list on the gateway's /problems/ page from the problem classes, and the snapshot
of event schemas, to which it only ever adds.
"""

import html
import importlib
import inspect
import json
import pkgutil
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from nexus_contracts.envelope import Event, all_events
from nexus_kit.errors import Problem

ROOT = Path(__file__).parents[1]
EVENTS = ROOT / "docs" / "events.md"
PROBLEMS = ROOT / "gateway" / "html" / "problems" / "index.html"
SNAPSHOT = ROOT / "tests" / "contracts" / "events.json"

_PACKAGES = ("nexus_kit", "nexus_auth", "nexus_listings", "nexus_bookings", "nexus_worker")
_MARKED = re.compile(r"(<!-- problems:begin .*?-->\n).*?([ ]*<!-- problems:end -->)", re.DOTALL)


def main() -> None:
    """Write all of them."""
    EVENTS.write_text(events_page())
    PROBLEMS.write_text(problems_page(PROBLEMS.read_text()))
    SNAPSHOT.write_text(snapshot(json.loads(SNAPSHOT.read_text())))


def events_page() -> str:
    """Markdown: every event, when it is true, and what it carries."""
    lines = [
        "# Events",
        "",
        "Generated from `contracts/` by `make docs`; do not edit. Each is the `data` of a CloudEvents 1.0 document",
        "(`contracts/nexus_contracts/envelope.py`) on the stream of its producer. Within a major version changes are",
        "additive.",
    ]
    producer = ""
    for event in all_events():
        if event.producer() != producer:
            producer = event.producer()
            lines += ["", f"## {producer}: `nexus:{{{producer}}}:events`"]
        lines += ["", f"### {event.TYPE}", "", inspect.cleandoc(event.__doc__ or ""), ""]
        lines += ["| field | type | meaning |", "|---|---|---|"]
        lines += [f"| {name} | {kind} | {meaning} |" for name, kind, meaning in _fields(event)]
    return "\n".join(lines) + "\n"


def problems_page(page: str) -> str:
    """The /problems/ page with its list made anew."""
    entries = "".join(
        f'    <article class="problem" id="{kind.code()}"><p class="status">{kind.status}</p>'
        f"<h3><code>{kind.code()}</code></h3><p>{html.escape(kind.title())}.</p></article>\n"
        for kind in sorted(set(all_problems()), key=lambda kind: (kind.status, kind.code()))
    )
    return _MARKED.sub(lambda match: match[1] + entries + match[2], page)


def snapshot(before: dict[str, Any]) -> str:
    """The schemas of all events. Types that are gone stay in: taking one away is for a person to do."""
    now = {event.TYPE: event.model_json_schema() for event in all_events()}
    return json.dumps(before | now, indent=1, sort_keys=True) + "\n"


def all_problems() -> Iterator[type[Problem]]:
    """Every problem class of every package, the bases included: a client may meet each."""
    for package in _PACKAGES:
        root = importlib.import_module(package)
        for module in pkgutil.walk_packages(root.__path__, f"{package}."):
            if not module.name.endswith("__main__"):
                importlib.import_module(module.name)
    yield from (kind for kind in _subclasses(Problem) if kind.__module__.startswith(_PACKAGES))


def _subclasses(kind: type[Problem]) -> Iterator[type[Problem]]:
    for below in kind.__subclasses__():
        yield below
        yield from _subclasses(below)


def _fields(event: type[Event]) -> Iterator[tuple[str, str, str]]:
    schema = event.model_json_schema()
    for name, field in schema["properties"].items():
        yield name, _type(field), field.get("description", "")


def _type(field: dict[str, Any]) -> str:
    if "$ref" in field:
        return str(field["$ref"].rsplit("/", 1)[1])
    if field.get("type") == "array":
        return f"list of {_type(field['items'])}"
    return str(field.get("format", field.get("type", "")))


if __name__ == "__main__":
    main()
