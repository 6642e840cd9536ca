"""The wire shapes of calendars."""

from datetime import date
from typing import Annotated
from uuid import UUID

from nexus_kit.schemas import Body, Resource, Text, UtcDateTime
from pydantic import AfterValidator, Field

from nexus_bookings.calendars.models import Outcome


def _web_address(url: str) -> str:
    """Many sites name their calendars `webcal:`, which is https to everybody."""
    scheme, separator, rest = url.partition("://")
    if not separator or scheme.lower() not in ("http", "https", "webcal") or not rest.isascii():
        raise ValueError("is not an http, https or webcal address")
    return f"{'https' if scheme.lower() == 'webcal' else scheme.lower()}://{rest}"


class NewCalendar(Body):
    """A calendar of another site to follow."""

    listing_id: UUID = Field(description="Your listing, whose nights it closes.")
    name: Text = Field(min_length=1, max_length=80, description="For your eyes.", examples=["Other site"])
    url: Annotated[str, AfterValidator(_web_address)] = Field(
        min_length=8, max_length=2000, examples=["https://calendars.example.com/0199.ics"]
    )


class SyncOut(Resource):
    """One look at a followed calendar."""

    at: UtcDateTime
    outcome: Outcome
    events: int = Field(description="How many events were taken over.")
    closed: int = Field(description="Nights that it closed, each unit counted.")
    opened: int = Field(description="Nights that it opened again.")
    conflicts: list[date] = Field(description="Nights that are taken there and sold here.")
    ignored: list[str] = Field(description="Events that were left out, and why; at most 20.")
    error: str | None = Field(description="Why it could not be read; what it closed before stays closed.")


class CalendarOut(Resource):
    """A followed calendar."""

    id: UUID
    listing_id: UUID
    name: str
    url: str
    sync_at: UtcDateTime = Field(description="When it is looked at again.")
    failures: int = Field(description="How often in a row it could not be read.")
    created_at: UtcDateTime


class CalendarWithLog(CalendarOut):
    """A followed calendar and the last looks at it."""

    log: list[SyncOut] = Field(description="Newest first, at most 50.")


class CalendarsOut(Resource):
    """The calendars that a listing follows: at most 10, so there is one page."""

    items: list[CalendarOut]
    next_cursor: None = None


class AddressOut(Resource):
    """Where other sites read which nights of the listing are taken."""

    url: str = Field(
        description="Whoever has it can read it: give it to calendars only.",
        examples=["https://localhost:8443/api/v1/calendars/q7….ics"],
    )
