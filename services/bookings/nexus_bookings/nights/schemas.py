"""The wire shapes of the calendar."""

from datetime import date, timedelta
from typing import Self
from uuid import UUID

from nexus_contracts.money import Money
from nexus_kit.schemas import Body, Resource
from pydantic import Field, model_validator

MOST_DAYS = 366


class Period(Body):
    """Which nights to show: `[from, to)`."""

    first: date = Field(alias="from", description="First night.", examples=["2026-12-01"])
    end: date = Field(alias="to", description="The day after the last night.", examples=["2027-01-01"])

    @model_validator(mode="after")
    def is_bounded(self) -> Self:
        """At least one night, at most a leap year."""
        if not timedelta(days=1) <= self.end - self.first <= timedelta(days=MOST_DAYS):
            raise ValueError(f"to must be 1 to {MOST_DAYS} days later than from")
        return self


class NightOut(Resource):
    """One night of the calendar."""

    night: date = Field(description="The date on which it begins, where the listing is.", examples=["2026-12-24"])
    free_units: int = Field(ge=0, description="How many can still be booked.", examples=[1])
    price: Money


class AvailabilityOut(Resource):
    """A listing's calendar."""

    listing_id: UUID
    timezone: str = Field(examples=["Africa/Addis_Ababa"])
    items: list[NightOut]
