"""What a file of listings says, row by row and in constant memory: CSV, or NDJSON (a JSON object per line).

`importing.py` sends what this module reads. It judges no listing: what is wrong with a field is for the service to say.
"""

import csv
import io
import math
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO

import orjson

LONGEST_ROW = 900_000
"""Bytes: a row must fit into a request, and a file without line breaks must not fill the memory."""
SUFFIXES = (".csv", ".ndjson", ".jsonl")
OWNER = "host_id"
"""The column by which an admin says whose listing a row is."""


class Unusable(Exception):
    """The file cannot be read as listings at all, or not any further; says why."""


@dataclass(frozen=True)
class Row:
    """One row. `number` is the line in NDJSON, and in CSV the row as a spreadsheet counts: the header is the first."""

    number: int
    content: dict[str, Any] = field(default_factory=dict)
    host_id: str | None = None
    unreadable: str | None = None
    """Why it could not be read; then `content` is empty."""


class _Text(io.TextIOWrapper):
    """Text of a file that stays its caller's to close: a plain wrapper closes it as soon as nobody reads any more."""

    def close(self) -> None:
        """Leave it open."""


def read(path: Path, source: BinaryIO) -> Iterator[Row]:
    """The rows of a file. `path` names the format. Raises `Unusable`."""
    match path.suffix.lower():
        case ".csv":
            # What is not UTF-8 is carried on and cannot be sent: so one wrong byte costs its row and not the file.
            return _rows_of_csv(_lines(_Text(source, "utf-8-sig", "surrogateescape", newline="")))
        case ".ndjson" | ".jsonl":
            return _rows_of_ndjson(source)
        case _:
            raise Unusable(f"{path.name}: the name must end with one of {', '.join(SUFFIXES)}")


def columns() -> dict[str, Callable[[str], Any]]:
    """The columns that a CSV may have, each with what turns a cell into the field's value.

    They follow from the fields of an `ImportRow`. `price`, `cleaning_fee` and other money is in minor units, of what
    `currency` names (at first ETB); a list of words is separated by `|`; what is nested is JSON.
    """
    from nexus_listings.imports.schemas import ImportRow  # a second of a service's imports, which NDJSON can do without

    schema = ImportRow.model_json_schema()
    named: dict[str, Any] = schema["$defs"]
    fields = {name: _reader(shape, named) for name, shape in schema["properties"].items()}
    return {**fields, "currency": str, OWNER: str}


def _reader(shape: dict[str, Any], named: dict[str, Any]) -> Callable[[str], Any]:
    kind = _resolved(next(iter(shape.get("anyOf", [shape]))), named)
    match kind:
        case {"type": "array", "items": items} if _resolved(items, named).get("type") == "string":
            return _words
        case {"type": "object", "title": "Money"}:
            return lambda cell: {"amount": _whole(cell)}
    return _READERS.get(kind["type"], str)


def _resolved(shape: dict[str, Any], named: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = named[shape["$ref"].rpartition("/")[2]] if "$ref" in shape else shape
    return found


def _whole(cell: str) -> Any:
    """A cell that is no number stays what it is: the service names the field."""
    return int(cell) if cell.removeprefix("-").isdecimal() and len(cell) < 20 else cell


def _decimal(cell: str) -> Any:
    """JSON knows neither `nan` nor `inf`: they stay words, and are refused as such."""
    try:
        return number if math.isfinite(number := float(cell)) else cell
    except ValueError:
        return cell


def _json(cell: str) -> Any:
    try:
        return orjson.loads(cell)
    except ValueError:
        return cell


def _flag(cell: str) -> Any:
    return {"true": True, "false": False}.get(cell.lower(), cell)


def _words(cell: str) -> list[str]:
    return [part.strip() for part in cell.split("|") if part.strip()]


_READERS: dict[str, Callable[[str], Any]] = {
    "integer": _whole,
    "number": _decimal,
    "boolean": _flag,
    "array": _json,
    "object": _json,
}


def _rows_of_csv(text: Iterable[str]) -> Iterator[Row]:
    records = _records(text)
    _, header = next(records, (0, []))
    names = [name.strip() for name in header]
    known = columns()
    if unknown := [name or "(a column without a name)" for name in names if name not in known]:
        raise Unusable(f"unknown columns: {', '.join(unknown)}; there are: {', '.join(known)}")
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise Unusable(f"columns that stand there twice: {', '.join(twice)}")
    if missing := [name for name in ("external_id", "title") if name not in names]:
        raise Unusable(f"missing columns: {', '.join(missing)}; the first row must name the columns")
    for number, cells in records:
        if len(cells) > len(names):
            yield Row(number, unreadable=f"has {len(cells)} cells, but the header names {len(names)} columns")
        elif any(cells):
            yield _from_cells(number, dict(zip(names, cells, strict=False)), known)


def _lines(text: io.TextIOBase) -> Iterator[str]:
    while line := text.readline(LONGEST_ROW + 1):
        if len(line) > LONGEST_ROW:
            raise csv.Error(f"is longer than {LONGEST_ROW:,} characters")
        yield line


def _records(text: Iterable[str]) -> Iterator[tuple[int, list[str]]]:
    number = 0
    try:
        for number, cells in enumerate(csv.reader(text, strict=True), start=1):
            yield number, cells
    except csv.Error as exc:
        raise Unusable(f"row {number + 1}: {exc}; nothing after it was read") from exc


def _from_cells(number: int, cells: dict[str, str], known: dict[str, Callable[[str], Any]]) -> Row:
    """An empty cell says nothing of its field."""
    values = {name: known[name](cell.strip()) for name, cell in cells.items() if cell.strip()}
    currency, host_id = values.pop("currency", "ETB"), values.pop(OWNER, None)
    for value in values.values():
        if isinstance(value, dict) and value.keys() == {"amount"}:
            value["currency"] = currency
    return Row(number, values, host_id)


def _rows_of_ndjson(source: BinaryIO) -> Iterator[Row]:
    number = 0
    while line := source.readline(LONGEST_ROW + 1):
        number += 1
        if len(line) > LONGEST_ROW:
            _skip_line(source, line)
            yield Row(number, unreadable=f"is longer than {LONGEST_ROW:,} bytes")
            continue
        if number == 1:
            line = line.removeprefix(b"\xef\xbb\xbf")
        if line.strip():
            yield _from_line(number, line)


def _skip_line(source: BinaryIO, part: bytes) -> None:
    while part and not part.endswith(b"\n"):
        part = source.readline(LONGEST_ROW)


def _from_line(number: int, line: bytes) -> Row:
    try:
        content = orjson.loads(line)
    except orjson.JSONDecodeError as exc:
        return Row(number, unreadable=f"is not JSON: {exc.msg} at character {exc.pos + 1}")
    if not isinstance(content, dict):
        return Row(number, unreadable="is not a JSON object")
    host_id = content.pop(OWNER, None)
    return Row(number, content, None if host_id is None else str(host_id))
