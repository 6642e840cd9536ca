"""The wire shapes of quotes."""

from datetime import date
from uuid import UUID

from nexus_kit.schemas import Body, LocalDate, LocalTime, UtcDateTime
from pydantic import Field, ValidationInfo, field_validator

from nexus_bookings.cancellation import CancellationTerms
from nexus_bookings.pricing import Difference, Price
from nexus_bookings.quotes.models import Quote


class WantedStay(Body):
    """What the guest would like."""

    listing_id: UUID
    check_in: LocalDate = Field(description="First night, a date where the listing is.", examples=["2026-12-24"])
    check_out: LocalDate = Field(description="The day after the last night.", examples=["2026-12-27"])
    guests: int = Field(strict=True, ge=1, le=1000, examples=[2])

    @field_validator("check_out")
    @classmethod
    def check_out_is_later(cls, check_out: date, info: ValidationInfo) -> date:
        """A stay has at least one night."""
        if check_out <= info.data.get("check_in", date.min):
            raise ValueError("check_out must be later than check_in")
        return check_out


class NewQuote(WantedStay):
    """A stay to be priced."""

    booking_id: UUID | None = Field(
        default=None,
        description="To change this confirmed booking of yours at the listing: its nights are yours already.",
    )


class QuoteOut(Price):
    """A price that is charged as it stands here if the quote is booked before `valid_until`. It holds no nights."""

    id: UUID
    listing_id: UUID
    check_in: date
    check_out: date
    timezone: str = Field(description="IANA name; the dates are local dates there.", examples=["Africa/Addis_Ababa"])
    check_in_time: LocalTime = Field(description="Local time at which the stay begins.")
    check_out_time: LocalTime = Field(description="Local time at which it is over.")
    guests: int
    cancellation: CancellationTerms
    booking_id: UUID | None = Field(description="The booking that it would change. Null: it is for a new one.")
    difference: Difference | None = Field(description="From what that booking costs now.")
    valid_until: UtcDateTime

    @classmethod
    def of(cls, quote: Quote) -> "QuoteOut":
        """The row, with the lines of its price beside its other columns."""
        own = cls.model_fields.keys() - Price.model_fields.keys()
        return cls.model_construct(**vars(quote.price), **{name: getattr(quote, name) for name in own})
