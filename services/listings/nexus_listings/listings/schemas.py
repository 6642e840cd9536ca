"""The wire shapes of a listing: what its host sends, and what everybody reads."""

from typing import Annotated, Any
from uuid import UUID

from nexus_contracts.listings import CancellationPolicy, ListingStatus
from nexus_contracts.money import Money
from nexus_kit.pages import PageQuery
from nexus_kit.schemas import Body, Resource, UtcDateTime
from pydantic import AfterValidator, Field, field_validator

from nexus_listings import places
from nexus_listings.amenities import Amenity
from nexus_listings.categories.schemas import CategorySlug

CURRENCY = "ETB"
"""All prices are in the marketplace's one currency: only so do they compare, in filters and in sorting."""
MOST_NIGHTS = 365
MOST_MONEY = 10**12


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


def at_least(least: int) -> AfterValidator:
    """Refuse money out of bounds, and money that could not be compared with the other prices."""

    def check(money: Money) -> Money:
        if money.currency != CURRENCY:
            raise ValueError(f"prices are in {CURRENCY}")
        if not least <= money.amount <= MOST_MONEY:
            raise ValueError(f"amount must be between {least} and {MOST_MONEY}")
        return money

    return AfterValidator(check)


Title = Annotated[str, Field(min_length=1, max_length=120, examples=["Quiet house by the lake"])]
Description = Annotated[
    str, Field(min_length=1, max_length=10_000, examples=["Two bedrooms, a garden, and the lake below."])
]
City = Annotated[str, Field(min_length=1, max_length=100, examples=["Bahir Dar"])]
Country = Annotated[str, AfterValidator(known_country), Field(description="ISO 3166-1 alpha-2.", examples=["ET"])]
Latitude = Annotated[
    float, Field(ge=-90, le=90, allow_inf_nan=False, description="Degrees, WGS 84.", examples=[11.5936])
]
Longitude = Annotated[
    float, Field(ge=-180, le=180, allow_inf_nan=False, description="Degrees, WGS 84.", examples=[37.3908])
]
Timezone = Annotated[
    str,
    AfterValidator(known_timezone),
    Field(description="IANA name; nights are dates in it.", examples=["Africa/Addis_Ababa"]),
]
Price = Annotated[Money, at_least(1), Field(description="Per night and unit, in minor units.")]
CleaningFee = Annotated[
    Money,
    at_least(0),
    Field(
        description="Once per stay, in minor units. At first: none.", examples=[{"amount": 30000, "currency": CURRENCY}]
    ),
]
Guests = Annotated[int, Field(strict=True, ge=1, le=100, description="Guests per unit.", examples=[4])]
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
InstantBook = Annotated[
    bool, Field(strict=True, description="False: the host answers each request first. At first: true.", examples=[True])
]
Policy = Annotated[
    CancellationPolicy,
    Field(description="What a guest gets back. At first: flexible.", examples=[CancellationPolicy.MODERATE]),
]


class ListingChanges(Body):
    """What a host changes. A field left out stays as it is; `null` empties it, as long as it was never published."""

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
    units: Units | None = None
    amenities: Amenities | None = None
    min_nights: MinNights | None = None
    max_nights: MaxNights | None = None
    instant_book: InstantBook | None = None
    cancellation_policy: Policy | None = None

    @field_validator(
        *(
            "title",
            "cleaning_fee",
            "units",
            "amenities",
            "min_nights",
            "max_nights",
            "instant_book",
            "cancellation_policy",
        ),
        mode="before",
    )
    @classmethod
    def never_empty(cls, value: Any) -> Any:
        """These have a value from the start; only the others can be emptied again."""
        if value is None:
            raise ValueError("cannot be null")
        return value

    @field_validator("amenities")
    @classmethod
    def each_once(cls, amenities: list[Amenity]) -> list[Amenity]:
        """Sorted, so that equal sets are equal."""
        return sorted(set(amenities))


class ListingDraft(ListingChanges):
    """A new listing. Only the title is needed; `publish` says what else is missing."""

    title: Title


class ListingOut(Resource):
    """A listing, as its host and (once published) everybody sees it."""

    id: UUID
    version: int = Field(exclude=True)
    """Clients know it as the ETag."""
    host_id: UUID = Field(description="The user whose listing this is.")
    status: ListingStatus
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
    units: int
    amenities: list[Amenity]
    min_nights: int
    max_nights: int
    instant_book: bool
    cancellation_policy: CancellationPolicy
    created_at: UtcDateTime
    updated_at: UtcDateTime
    published_at: UtcDateTime | None = Field(description="When guests could first find it.")


class MineQuery(PageQuery):
    """The host's own listings, newest first."""

    status: ListingStatus | None = Field(None, description="Only those in this state.")
