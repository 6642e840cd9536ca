"""The wire shapes of a listing: what its host sends, and what everybody reads."""

from typing import Annotated, Any
from uuid import UUID

from nexus_contracts.listings import CancellationPolicy, ListingStatus
from nexus_contracts.money import Money
from nexus_contracts.rates import CancellationTier, LengthDiscount, Rates
from nexus_kit.pages import PageQuery
from nexus_kit.schemas import Body, LocalTime, Resource, UtcDateTime
from pydantic import AfterValidator, ConfigDict, Field, ValidationInfo, field_validator

from nexus_listings import places
from nexus_listings.amenities import Amenity
from nexus_listings.categories.schemas import CategorySlug
from nexus_listings.photos.schemas import ShownPhotoOut
from nexus_listings.terms import (
    CURRENCY,
    MOST_NIGHTS,
    CancellationTiers,
    LengthDiscounts,
    Price,
    RatesIn,
    at_least,
)

MAY_BE_EMPTIED = (
    *("external_id", "description", "category", "city", "country", "latitude", "longitude", "timezone", "price"),
    *("capacity", "included_guests"),
)
"""All other fields have a value from the start."""

EXAMPLE: dict[str, Any] = {
    "title": "Quiet house by the lake",
    "description": "Two bedrooms, a garden, and the lake below.",
    "category": "house",
    "city": "Bahir Dar",
    "country": "ET",
    "latitude": 11.5936,
    "longitude": 37.3908,
    "timezone": "Africa/Addis_Ababa",
    "price": {"amount": 450000, "currency": CURRENCY},
    "cleaning_fee": {"amount": 30000, "currency": CURRENCY},
    "capacity": 4,
    "included_guests": 2,
    "extra_guest_fee": {"amount": 50000, "currency": CURRENCY},
    "units": 1,
    "amenities": ["kitchen", "lake_access", "wifi"],
    "min_nights": 1,
    "max_nights": 30,
    "rates": {
        "rules": [
            {"name": "Weekends", "weekdays": ["friday", "saturday"], "price": {"amount": 520000, "currency": CURRENCY}},
            {
                "name": "Timkat",
                "first_night": "2027-01-17",
                "last_night": "2027-01-20",
                "priority": 10,
                "price": {"amount": 700000, "currency": CURRENCY},
                "min_nights": 3,
                "closed_to_departure": True,
            },
        ]
    },
    "length_discounts": [{"nights": 7, "percent": 10}, {"nights": 28, "percent": 25}],
    "advance_notice_hours": 24,
    "booking_window_days": 365,
    "check_in_time": "15:00",
    "check_out_time": "11:00",
    "house_rules": ["No parties.", "Quiet after ten."],
    "instant_book": True,
    "cancellation_policy": "custom",
    "cancellation_tiers": [
        {"hours_before_check_in": 168, "refund_percent": 100},
        {"hours_before_check_in": 48, "refund_percent": 50},
    ],
}
"""A listing with everything, as the documentation shows it; it can be sent as it is."""


def known_country(code: str) -> str:
    """Refuse what ISO 3166 does not know."""
    if code not in places.countries():
        raise ValueError("is not an ISO 3166-1 alpha-2 code")
    return code


def known_timezone(name: str) -> str:
    """Refuse what the tz database does not know."""
    if name not in places.timezones():
        raise ValueError("is not an IANA time zone")
    return name


ExternalId = Annotated[
    str,
    Field(
        min_length=1,
        max_length=100,
        description="The host's own name for it, unique among the host's; no secret.",
        examples=["lake-house-1"],
    ),
]
Title = Annotated[str, Field(min_length=1, max_length=120, examples=["Quiet house by the lake"])]
Description = Annotated[
    str, Field(min_length=1, max_length=10_000, examples=["Two bedrooms, a garden, and the lake below."])
]
City = Annotated[str, Field(min_length=1, max_length=100, examples=["Bahir Dar"])]
Country = Annotated[str, AfterValidator(known_country), Field(description="ISO 3166-1 alpha-2.", examples=["ET"])]
Latitude = Annotated[
    float, Field(strict=True, ge=-90, le=90, allow_inf_nan=False, description="Degrees, WGS 84.", examples=[11.5936])
]
Longitude = Annotated[
    float, Field(strict=True, ge=-180, le=180, allow_inf_nan=False, description="Degrees, WGS 84.", examples=[37.3908])
]
Timezone = Annotated[
    str,
    AfterValidator(known_timezone),
    Field(description="IANA name; nights are dates in it.", examples=["Africa/Addis_Ababa"]),
]
CleaningFee = Annotated[
    Money,
    at_least(0),
    Field(
        description="Once per stay, in minor units. At first: none.", examples=[{"amount": 30000, "currency": CURRENCY}]
    ),
]
Guests = Annotated[int, Field(strict=True, ge=1, le=100, description="Guests per unit.", examples=[4])]
IncludedGuests = Annotated[
    int, Field(strict=True, ge=1, le=100, description="How many the price is for; null: all.", examples=[2])
]
ExtraGuestFee = Annotated[
    Money,
    at_least(0),
    Field(
        description="Per night, for each guest above `included_guests`. At first: none.",
        examples=[{"amount": 50000, "currency": CURRENCY}],
    ),
]
Units = Annotated[
    int,
    Field(
        strict=True,
        ge=1,
        le=1000,
        description="Identical places, bookable for the same night. At first: 1.",
        examples=[1],
    ),
]
Amenities = Annotated[
    list[Amenity],
    Field(max_length=len(Amenity), description="From the catalogue.", examples=[["wifi", "kitchen", "lake_access"]]),
]
MinNights = Annotated[
    int, Field(strict=True, ge=1, le=MOST_NIGHTS, description="Shortest stay. At first: 1.", examples=[2])
]
MaxNights = Annotated[
    int, Field(strict=True, ge=1, le=MOST_NIGHTS, description="Longest stay. At first: 365.", examples=[30])
]
AdvanceNotice = Annotated[
    int,
    Field(
        strict=True,
        ge=0,
        le=8760,
        description="A stay is booked at least so many hours before check-in. At first: 0.",
        examples=[24],
    ),
]
BookingWindow = Annotated[
    int,
    Field(
        strict=True, ge=1, le=730, description="Check-in is at most so many days away. At first: 540.", examples=[365]
    ),
]
CheckInTime = Annotated[LocalTime, Field(description="Local time at which a stay begins. At first: 15:00.")]
CheckOutTime = Annotated[LocalTime, Field(description="Local time at which it is over. At first: 11:00.")]
HouseRules = Annotated[
    list[Annotated[str, Field(min_length=1, max_length=200)]],
    Field(
        max_length=20,
        description="In the host's words, a sentence each. At first: none.",
        examples=[["No parties.", "Quiet after ten."]],
    ),
]
InstantBook = Annotated[
    bool, Field(strict=True, description="False: the host answers each request first. At first: true.", examples=[True])
]
Policy = Annotated[
    CancellationPolicy,
    Field(description="What a guest gets back. At first: flexible.", examples=[CancellationPolicy.MODERATE]),
]


class ListingChanges(Body):
    """What a host changes. A field left out stays as it is; `null` empties it, as long as it was never published."""

    model_config = ConfigDict(json_schema_extra={"examples": [{name: EXAMPLE[name] for name in ("price", "rates")}]})

    external_id: ExternalId | None = None
    title: Title | None = None
    description: Description | None = None
    category: CategorySlug | None = None
    city: City | None = None
    country: Country | None = None
    latitude: Latitude | None = None
    longitude: Longitude | None = None
    timezone: Timezone | None = None
    price: Price | None = None
    cleaning_fee: CleaningFee | None = None
    capacity: Guests | None = None
    included_guests: IncludedGuests | None = None
    extra_guest_fee: ExtraGuestFee | None = None
    units: Units | None = None
    amenities: Amenities | None = None
    min_nights: MinNights | None = None
    max_nights: MaxNights | None = None
    rates: RatesIn | None = None
    length_discounts: LengthDiscounts | None = None
    advance_notice_hours: AdvanceNotice | None = None
    booking_window_days: BookingWindow | None = None
    check_in_time: CheckInTime | None = None
    check_out_time: CheckOutTime | None = None
    house_rules: HouseRules | None = None
    instant_book: InstantBook | None = None
    cancellation_policy: Policy | None = None
    cancellation_tiers: CancellationTiers | None = None

    @field_validator("*", mode="before")
    @classmethod
    def never_empty(cls, value: Any, info: ValidationInfo) -> Any:
        """Most fields have a value from the start, and keep one."""
        if value is None and info.field_name not in MAY_BE_EMPTIED:
            raise ValueError("cannot be null")
        return value

    @field_validator("amenities")
    @classmethod
    def each_once(cls, amenities: list[Amenity]) -> list[Amenity]:
        """Sorted, so that equal sets are equal."""
        return sorted(set(amenities))


class ListingDraft(ListingChanges):
    """A new listing. Only the title is needed; `publish` says what else is missing."""

    model_config = ConfigDict(json_schema_extra={"examples": [EXAMPLE]})

    title: Title


class ListingOut(Resource):
    """A listing, as its host and (once published) everybody sees it."""

    id: UUID
    version: int = Field(exclude=True)
    """Clients know it as the ETag."""
    host_id: UUID = Field(description="The user whose listing this is.")
    status: ListingStatus
    external_id: str | None = Field(description="The host's own name for it.", examples=["lake-house-1"])
    title: str = Field(examples=["Quiet house by the lake"])
    description: str | None
    category: str | None = Field(examples=["house"])
    city: str | None = Field(examples=["Bahir Dar"])
    country: str | None = Field(examples=["ET"])
    latitude: float | None = Field(examples=[11.5936])
    longitude: float | None = Field(examples=[37.3908])
    timezone: str | None = Field(examples=["Africa/Addis_Ababa"])
    price: Money | None = Field(description="Per night and unit.")
    cleaning_fee: Money = Field(description="Once per stay.")
    capacity: int | None = Field(description="Guests per unit.", examples=[4])
    included_guests: int | None = Field(description="How many the price is for; null: all.", examples=[2])
    extra_guest_fee: Money = Field(description="Per night, for each guest above those.")
    units: int = Field(examples=[1])
    amenities: list[Amenity]
    min_nights: int = Field(examples=[1])
    max_nights: int = Field(examples=[30])
    rates: Rates = Field(description="What is different on some days.")
    length_discounts: list[LengthDiscount]
    advance_notice_hours: int = Field(examples=[24])
    booking_window_days: int = Field(examples=[365])
    check_in_time: LocalTime
    check_out_time: LocalTime
    house_rules: list[str]
    instant_book: bool
    cancellation_policy: CancellationPolicy
    cancellation_tiers: list[CancellationTier] = Field(description="Of a custom policy only.")
    rating: float | None = Field(description="Mean of its guests' stars, 1 to 5; null before the first review.")
    reviews: int = Field(description="How many of them there are.", examples=[12])
    photos: list[ShownPhotoOut] = Field(description="Those that are ready, in their order; the first is the cover.")
    created_at: UtcDateTime
    updated_at: UtcDateTime
    published_at: UtcDateTime | None = Field(description="When guests could first find it.")


class MineQuery(PageQuery):
    """The host's own listings, newest first."""

    status: ListingStatus | None = Field(None, description="Only those in this state.")
