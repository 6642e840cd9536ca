"""Bases of the wire shapes: every service's `schemas.py` builds on them."""

import re
from datetime import UTC, date, datetime
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, PlainSerializer, field_validator

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
    texts = value if isinstance(value, list) else [value]
    if any(isinstance(text, str) and "\x00" in text for text in texts):
        raise ValueError("must not contain the character U+0000")
    return value


Text = Annotated[str, AfterValidator(without_nul)]
"""A string that the database can hold: for parameters outside a `Body`."""
