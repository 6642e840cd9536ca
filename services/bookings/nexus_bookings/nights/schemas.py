"""The wire shapes of the calendar."""

from datetime import date, timedelta
from uuid import UUID

from nexus_contracts.money import Money
from nexus_kit.schemas import Body, LocalDate, Resource
from pydantic import Field, ValidationInfo, field_validator

from nexus_bookings.nights.models import ClosedBy

MOST_DAYS = 366


class Period(Body):
    """Which nights: `[from, to)`."""

    first: LocalDate = Field(alias="from", description="First night.", examples=["2026-12-01"])
    end: LocalDate = Field(alias="to", description="The day after the last night.", examples=["2027-01-01"])

    @field_validator("end")
    @classmethod
    def is_bounded(cls, end: date, info: ValidationInfo) -> date:
        """At least one night, at most a leap year."""
        first = info.data.get("first")
        if first and not timedelta(days=1) <= end - first <= timedelta(days=MOST_DAYS):
            raise ValueError(f"to must be 1 to {MOST_DAYS} days later than from")
        return end


class NewBlocks(Period):
    """Which nights the host closes, and how much of them."""

    units: int | None = Field(
        default=None,
        strict=True,
        ge=1,
        le=1000,
        description="How many units of each night are closed, as far as they are not booked. Left out: all.",
        examples=[1],
    )


class NightOut(Resource):
    """One night of the calendar, with what holds for a stay that begins or ends on its day."""

    night: date = Field(description="The date on which it begins, where the listing is.", examples=["2026-12-24"])
    free_units: int = Field(ge=0, description="How many can still be booked.", examples=[1])
    price: Money = Field(description="Of this night.")
    min_nights: int = Field(description="Of a stay that begins on this day.", examples=[2])
    max_nights: int = Field(description="Of a stay that begins on this day.", examples=[30])
    closed_to_arrival: bool = Field(description="True: no stay begins on this day.")
    closed_to_departure: bool = Field(description="True: no stay ends on this day.")


class AvailabilityOut(Resource):
    """A listing's calendar."""

    listing_id: UUID
    timezone: str = Field(examples=["Africa/Addis_Ababa"])
    items: list[NightOut]


class BlockedNightOut(Resource):
    """One night, as the host sees it."""

    night: date = Field(description="The date on which it begins, where the listing is.", examples=["2026-12-24"])
    free_units: int = Field(ge=0, description="Neither booked nor closed.", examples=[0])
    booked_units: int = Field(description="Held or sold.", examples=[1])
    closed_units: int = Field(description="Not offered.", examples=[1])
    closed_by: list[ClosedBy] = Field(
        description="Why: the host closed them, another calendar has them, or the host cancelled their booking.",
        examples=[["host"]],
    )


class BlocksOut(Resource):
    """What is booked and closed of a listing."""

    listing_id: UUID
    timezone: str = Field(examples=["Africa/Addis_Ababa"])
    items: list[BlockedNightOut]
