"""Bases of the wire shapes: every service's `schemas.py` builds on them."""

import re
from datetime import UTC, date, datetime, time
from typing import Annotated, Any

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    PlainSerializer,
    WithJsonSchema,
    field_validator,
)

_TIME = re.compile(r"([01]\d|2[0-3]):[0-5]\d", re.ASCII)
_DATE = re.compile(r"\d{4}-\d{2}-\d{2}", re.ASCII)

UtcDateTime = Annotated[
    datetime,
    PlainSerializer(
        lambda instant: instant.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        when_used="json",
    ),
]
"""An instant, written in UTC and ending in `Z` (RFC 3339)."""


def _written_as_a_date(value: Any) -> Any:
    """pydantic would take 1796774400 and "2026-12-01T00:00:00" for dates too."""
    if (isinstance(value, str) and not _DATE.fullmatch(value)) or isinstance(value, int | float):
        raise ValueError("must be a date written YYYY-MM-DD")
    return value


LocalDate = Annotated[date, BeforeValidator(_written_as_a_date)]
"""A day where the listing is, in a body: `YYYY-MM-DD` and nothing else."""


def _written_as_a_time(value: Any) -> Any:
    """pydantic would take 54000 and "15:00:00.5+03:00" for times too."""
    if isinstance(value, time):
        return value
    if not isinstance(value, str) or not _TIME.fullmatch(value):
        raise ValueError("must be a time of day written HH:MM")
    return time.fromisoformat(value)


LocalTime = Annotated[
    time,
    BeforeValidator(_written_as_a_time),
    PlainSerializer(lambda at: at.strftime("%H:%M"), return_type=str, when_used="json"),
    WithJsonSchema({"type": "string", "pattern": f"^{_TIME.pattern}$", "examples": ["15:00"]}),
]
"""A time of day where the listing is: `HH:MM` and nothing else."""


class Body(BaseModel):
    """What a client sends. A field we do not know is refused, so a typing error never goes unnoticed."""

    model_config = ConfigDict(extra="forbid", str_strip_whitespace=True, frozen=True)

    @field_validator("*", mode="before")
    @classmethod
    def refuse_nul(cls, value: Any) -> Any:
        """PostgreSQL's text cannot hold U+0000, so no field of ours can mean it."""
        return without_nul(value)


class Resource(BaseModel):
    """What we answer, read straight from the row."""

    model_config = ConfigDict(from_attributes=True)


def without_nul(value: Any) -> Any:
    """Refuse U+0000 in a string, or in the strings of a list."""
    # It runs for every field of every body: most are no list, and an `any` for one value takes three times as long.
    if (isinstance(value, str) and "\x00" in value) or (
        isinstance(value, list) and any(isinstance(text, str) and "\x00" in text for text in value)
    ):
        raise ValueError("must not contain the character U+0000")
    return value


Text = Annotated[str, AfterValidator(without_nul)]
"""A string that the database can hold: for parameters outside a `Body`."""
