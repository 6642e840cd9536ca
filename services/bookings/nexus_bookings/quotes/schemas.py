"""The wire shapes of quotes."""

from datetime import date
from typing import Self
from uuid import UUID

from nexus_contracts.money import Money
from nexus_kit.schemas import Body, LocalDate, Resource, UtcDateTime
from pydantic import AliasPath, Field, model_validator

from nexus_bookings.cancellation import CancellationTerms
from nexus_bookings.pricing import NightlyPrice


class NewQuote(Body):
    """What the guest would like."""

    listing_id: UUID
    check_in: LocalDate = Field(description="First night, a date where the listing is.", examples=["2026-12-24"])
    check_out: LocalDate = Field(description="The day after the last night.", examples=["2026-12-27"])
    guests: int = Field(strict=True, ge=1, le=1000, examples=[2])

    @model_validator(mode="after")
    def check_out_is_later(self) -> Self:
        """A stay has at least one night."""
        if self.check_out <= self.check_in:
            raise ValueError("check_out must be later than check_in")
        return self


class QuoteOut(Resource):
    """A price that is charged as it stands here if the quote is booked before `valid_until`. It holds no nights."""

    id: UUID
    listing_id: UUID
    check_in: date
    check_out: date
    timezone: str = Field(description="IANA name; the dates are local dates there.", examples=["Africa/Addis_Ababa"])
    guests: int
    nights: list[NightlyPrice] = Field(validation_alias=AliasPath("price", "nights"))
    accommodation: Money = Field(
        validation_alias=AliasPath("price", "accommodation"), description="All nights together."
    )
    cleaning_fee: Money = Field(validation_alias=AliasPath("price", "cleaning_fee"), description="Once per stay.")
    service_fee: Money = Field(
        validation_alias=AliasPath("price", "service_fee"),
        description="Nexus' own fee, a share of nights and cleaning, half a minor unit rounded up.",
    )
    total: Money = Field(validation_alias=AliasPath("price", "total"), description="What the guest pays.")
    cancellation: CancellationTerms
    valid_until: UtcDateTime
