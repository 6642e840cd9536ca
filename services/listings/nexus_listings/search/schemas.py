"""The wire shapes of the search: its filters, and the light card of a result."""

from datetime import UTC, date, datetime, timedelta
from enum import StrEnum
from uuid import UUID

from nexus_contracts.money import Money
from nexus_kit.pages import PageQuery
from nexus_kit.schemas import Resource, Text, UtcDateTime
from pydantic import Field, ValidationInfo, field_validator

from nexus_listings.categories.schemas import CategorySlug
from nexus_listings.listings.schemas import MOST_MONEY, MOST_NIGHTS, Country


class ListingCard(Resource):
    """What a page of results needs of one published listing."""

    id: UUID
    host_id: UUID
    title: str = Field(examples=["Quiet house by the lake"])
    category: str = Field(examples=["house"])
    city: str = Field(examples=["Bahir Dar"])
    country: str = Field(examples=["ET"])
    latitude: float
    longitude: float
    price: Money = Field(description="Per night and unit.")
    capacity: int = Field(description="Guests per unit.", examples=[4])
    instant_book: bool
    published_at: UtcDateTime


class Sort(StrEnum):
    """The order of a search's results."""

    RELEVANCE = "relevance"
    NEWEST = "newest"
    PRICE = "price"
    PRICE_FALLING = "-price"


class SearchQuery(PageQuery):
    """The filters of the public search: a listing must pass all that are given."""

    q: Text | None = Field(
        None,
        min_length=1,
        max_length=200,
        description='Words, "a phrase", -without; in title, description or city. Accents and endings do not matter.',
        examples=["lake house"],
    )
    category: CategorySlug | None = Field(None, description="This kind of place and all below it.")
    city: Text | None = Field(None, min_length=1, max_length=100, description="Accents and case do not matter.")
    country: Country | None = None
    min_price: int | None = Field(
        None, ge=0, le=MOST_MONEY, description="Per night, in minor units.", examples=[100000]
    )
    max_price: int | None = Field(
        None, ge=0, le=MOST_MONEY, description="Per night, in minor units.", examples=[500000]
    )
    guests: int | None = Field(None, ge=1, le=100, description="How many the place must hold.", examples=[2])
    host_id: UUID | None = None
    check_in: date | None = Field(None, description="First night; with `check_out`: only what is free throughout.")
    check_out: date | None = Field(None, validate_default=True, description="The day after the last night.")
    sort: Sort | None = Field(
        None,
        validate_default=True,
        description="At first: relevance with `q`, newest without. `-price` is dearest first.",
    )

    @field_validator("max_price")
    @classmethod
    def not_below_min_price(cls, value: int | None, info: ValidationInfo) -> int | None:
        """An inverted range matches nothing, which is never what was meant."""
        low = info.data.get("min_price")
        if value is not None and low is not None and value < low:
            raise ValueError("is below min_price")
        return value

    @field_validator("check_in")
    @classmethod
    def not_past(cls, value: date | None) -> date | None:
        """No night can be booked that is over everywhere on earth."""
        if value is not None and value < (datetime.now(UTC) - timedelta(hours=12)).date():
            raise ValueError("is in the past")
        return value

    @field_validator("check_out")
    @classmethod
    def a_stay(cls, value: date | None, info: ValidationInfo) -> date | None:
        """Both dates or none, and at least a night between them."""
        if "check_in" not in info.data:  # it was refused already
            return value
        check_in = info.data["check_in"]
        if (check_in is None) != (value is None):
            raise ValueError("check_in and check_out go together")
        if check_in is not None and value is not None and not 0 < (value - check_in).days <= MOST_NIGHTS:
            raise ValueError(f"must be 1 to {MOST_NIGHTS} days after check_in")
        return value

    @field_validator("sort")
    @classmethod
    def a_sort_for_what_is_asked(cls, value: Sort | None, info: ValidationInfo) -> Sort:
        """Relevance is to words."""
        words = info.data.get("q")
        if value is Sort.RELEVANCE and words is None:
            raise ValueError("relevance needs q")
        return value or (Sort.NEWEST if words is None else Sort.RELEVANCE)
