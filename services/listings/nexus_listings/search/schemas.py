"""The wire shapes of the search: its filters, the light card of a result, and what else an answer can hold."""

from datetime import UTC, date, datetime, timedelta
from enum import StrEnum
from typing import Annotated, Any
from uuid import UUID

from nexus_contracts.money import Money
from nexus_kit.pages import PageOf, PageQuery
from nexus_kit.schemas import LocalDate, Resource, Text, UtcDateTime
from pydantic import AfterValidator, BeforeValidator, Field, ValidationInfo, field_validator

from nexus_listings import shapes
from nexus_listings.amenities import Amenity
from nexus_listings.categories.schemas import CategorySlug
from nexus_listings.listings.schemas import Country
from nexus_listings.photos.schemas import ShownPhotoOut
from nexus_listings.terms import MOST_MONEY, MOST_NIGHTS

MOST_FLEXIBLE_DAYS = 7
USUAL_RADIUS_KM = 25
MOST_COUNTED = 5_000
"""`total` and `facets` look at no more listings than this."""
MOST_UNAVAILABLE = 20
"""`explain_unavailable` lists no more than this ..."""
MOST_EXPLAINED = 1_000
"""... of no more than this, the newest."""


# --------------------------------------------------------------------------------------------------- what is asked


class Sort(StrEnum):
    """The order of a search's results."""

    RELEVANCE = "relevance"
    NEWEST = "newest"
    PRICE = "price"
    PRICE_FALLING = "-price"
    DISTANCE = "distance"
    RATING = "rating"


class Include(StrEnum):
    """What an answer can hold besides its page."""

    FACETS = "facets"
    TOTAL = "total"


def _separated(value: Any) -> Any:
    """Repeated, or separated by commas, or both; each once."""
    texts = value if isinstance(value, list) else [value]
    if not all(isinstance(text, str) for text in texts):
        return value
    parts = list(dict.fromkeys(part for text in texts for part in text.split(",")))
    if len(parts) > len(Amenity):  # before each of them gets an error of its own
        raise ValueError("has too many values")
    return parts


def _sorted(values: list[Any]) -> list[Any]:
    """Equal sets are equal."""
    return sorted(values)


def _money(what: str, example: int) -> Any:
    return Field(
        None,
        ge=0,
        le=MOST_MONEY,
        description=f"{what} per night, in minor units. With dates: of the average night of that stay, after the host's"
        " rates and length discounts, before fees. Without: of the usual price.",
        examples=[example],
    )


def _refuse_unless(read: Any) -> AfterValidator:
    """The text stays as it was sent; it must be one that `read` can read."""

    def check(text: str) -> str:
        read(text)
        return text

    return AfterValidator(check)


class SearchQuery(PageQuery):
    """The filters of the public search: a listing must pass all that are given."""

    q: Annotated[Text, Field(min_length=1, max_length=200)] | None = Field(
        None,
        description='Words, "a phrase", -without; in title, description or city. Accents and endings do not matter; a'
        " word that no listing has stands for those that differ in one letter (from eight letters on: two).",
        examples=["lake house"],
    )
    category: CategorySlug | None = Field(None, description="This kind of place and all below it.")
    city: Annotated[Text, Field(min_length=1, max_length=100)] | None = Field(
        None, description="Accents and case do not matter."
    )
    country: Country | None = None
    min_price: int | None = _money("At least so much", 100000)
    max_price: int | None = _money("At most so much", 500000)
    guests: int | None = Field(None, ge=1, le=100, description="How many the place must hold.", examples=[2])
    amenities: Annotated[list[Amenity], BeforeValidator(_separated), AfterValidator(_sorted)] | None = Field(
        None,
        description="All of them. Separated by commas, or the parameter repeated.",
        examples=[["wifi", "kitchen"]],
    )
    host_id: UUID | None = None
    near: Annotated[str, Field(max_length=100), _refuse_unless(shapes.point)] | None = Field(
        None, description="`lat,lng` in degrees: within `radius_km` of this point.", examples=["9.0108,38.7613"]
    )
    radius_km: float | None = Field(
        None,
        gt=0,
        le=shapes.FARTHEST_KM,
        allow_inf_nan=False,
        description=f"As the crow flies; with `near`. At first: {USUAL_RADIUS_KM}.",
        examples=[5],
    )
    bbox: Annotated[str, Field(max_length=200), _refuse_unless(shapes.box)] | None = Field(
        None,
        description="`west,south,east,north` in degrees, as in GeoJSON; with west over east it crosses the 180th"
        " meridian.",
        examples=["38.6,8.8,38.9,9.1"],
    )
    polygon: Annotated[str, Field(max_length=5000), _refuse_unless(shapes.polygon)] | None = Field(
        None,
        description=f"`lat,lng;lat,lng;...`, 3 to {shapes.MOST_CORNERS} corners in order; sides do not cross each"
        " other, nor the 180th meridian.",
        examples=["8.8,38.6;9.1,38.7;8.9,38.9"],
    )
    check_in: LocalDate | None = Field(
        None,
        description="First night. With `check_out`: only what can be booked for this stay, by the nights that are sold"
        " and by the host's rules.",
    )
    check_out: LocalDate | None = Field(None, validate_default=True, description="The day after the last night.")
    flexible_days: int | None = Field(
        None,
        ge=0,
        le=MOST_FLEXIBLE_DAYS,
        description="So many days earlier or later will do, for as many nights; with dates.",
        examples=[2],
    )
    sort: Sort | None = Field(
        None,
        validate_default=True,
        description="At first: relevance with `q`, newest without. Relevance: all words in the title, then in title and"
        " description, then with the city's help; of equals the newest. `-price` is dearest first; with dates the price"
        " is the stay's average night. Distance goes with `near`.",
    )
    include: Annotated[list[Include], BeforeValidator(_separated), AfterValidator(_sorted)] | None = Field(
        None, description="More than a page of results. Separated by commas, or repeated."
    )
    explain_unavailable: bool = Field(
        False,
        description="Also list what passes every filter but the dates, with the reason; on the first page. At most"
        f" {MOST_UNAVAILABLE}, of the newest {MOST_EXPLAINED} that pass.",
    )

    @field_validator("max_price")
    @classmethod
    def not_below_min_price(cls, value: int | None, info: ValidationInfo) -> int | None:
        """An inverted range matches nothing, which is never what was meant."""
        low = info.data.get("min_price")
        if value is not None and low is not None and value < low:
            raise ValueError("is below min_price")
        return value

    @field_validator("radius_km")
    @classmethod
    def around_a_point(cls, value: float | None, info: ValidationInfo) -> float | None:
        """A distance is from somewhere."""
        if value is not None and info.data.get("near", "") is None:
            raise ValueError("needs near")
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
        if value is not None and value > date.max - timedelta(days=MOST_FLEXIBLE_DAYS):
            raise ValueError("is too far away")
        return value

    @field_validator("flexible_days", "explain_unavailable")
    @classmethod
    def of_a_stay(cls, value: int | None, info: ValidationInfo) -> int | None:
        """Only dates can be flexible, or in the way."""
        if value and info.data.get("check_out", "") is None:
            raise ValueError("needs check_in and check_out")
        return value

    @field_validator("sort")
    @classmethod
    def a_sort_for_what_is_asked(cls, value: Sort | None, info: ValidationInfo) -> Sort:
        """Relevance is to words, distance from a point."""
        needs = {Sort.RELEVANCE: "q", Sort.DISTANCE: "near"}
        if value in needs and info.data.get(needs[value], "") is None:
            raise ValueError(f"{value} needs {needs[value]}")
        return value or (Sort.NEWEST if info.data.get("q") is None else Sort.RELEVANCE)

    @property
    def check_ins(self) -> list[date]:
        """The first nights that would do, the one asked for in front, then the nearest. Empty without dates."""
        if self.check_in is None:
            return []
        shifts = sorted(
            range(-(self.flexible_days or 0), (self.flexible_days or 0) + 1), key=lambda days: (abs(days), days)
        )
        return [self.check_in + timedelta(days=days) for days in shifts]

    @property
    def nights(self) -> int:
        """How long the stay is; 0 without dates."""
        return (self.check_out - self.check_in).days if self.check_in and self.check_out else 0


# ------------------------------------------------------------------------------------------------- what is answered


class StayOffer(Resource):
    """A stay that could be booked now, and its price before fees and tax: a quote says the whole price."""

    check_in: date
    check_out: date
    nightly: Money = Field(description="Of the average night, rounded to a minor unit.")
    accommodation: Money = Field(description="All nights, after the host's rates and length discounts.")


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
    price: Money = Field(description="Per night and unit; on some days it may differ.")
    capacity: int = Field(description="Guests per unit.", examples=[4])
    instant_book: bool
    rating: float | None = Field(description="Mean of 1 to 5 stars; null before the first review.", examples=[4.7])
    reviews: int = Field(description="How many guests gave stars.", examples=[23])
    cover: ShownPhotoOut | None = Field(description="The first of its photos; null as long as it has none.")
    published_at: UtcDateTime


class FoundCard(ListingCard):
    """A card in a search's results."""

    distance_km: float | None = Field(None, description="From `near`, as the crow flies.", examples=[1.284])
    stay: StayOffer | None = Field(
        None, description="With dates: the stay asked for or, when flexible, the nearest that fits."
    )
    stays: list[StayOffer] | None = Field(None, description="With flexible_days: all stays that fit, by date.")


class Refusal(StrEnum):
    """Why a stay cannot be booked: the first that applies, in this order."""

    ADVANCE_NOTICE = "advance_notice"
    BOOKING_WINDOW = "booking_window"
    CLOSED_TO_ARRIVAL = "closed_to_arrival"
    CLOSED_TO_DEPARTURE = "closed_to_departure"
    MINIMUM_STAY = "minimum_stay"
    MAXIMUM_STAY = "maximum_stay"
    SOLD_OUT = "sold_out"


class UnavailableCard(ListingCard):
    """A listing that passes every filter but the dates."""

    reason: Refusal = Field(description="Why not on the dates asked for.")


class Count(Resource):
    """How many listings have this."""

    value: str = Field(examples=["house"])
    count: int = Field(examples=[12])


class PriceBar(Resource):
    """One bar of the histogram."""

    low: Money = Field(description="From this ...")
    high: Money = Field(description="... to this, included.")
    count: int = Field(examples=[12])


class Facets(Resource):
    """What the next filter would leave. Each facet heeds every filter but its own."""

    categories: list[Count] = Field(description="Each with all below it. `category` is not heeded.")
    amenities: list[Count] = Field(description="`amenities` is heeded: so many would be left if this were added.")
    prices: list[PriceBar] = Field(
        description="Up to 20 bars of equal width, but for the last, which holds the dearest 2 %. Prices as `min_price`"
        " and `max_price` see them, which are not heeded."
    )
    exact: bool = Field(description=f"False: a facet is of {MOST_COUNTED} of its listings, there are more.")


class Total(Resource):
    """How many listings pass all filters."""

    count: int = Field(examples=[128])
    exact: bool = Field(description=f"False: at least so many; no more than {MOST_COUNTED} are counted.")


class SearchPage(PageOf[FoundCard]):
    """A page of results, and what was asked for besides (null when it was not)."""

    facets: Facets | None = None
    total: Total | None = None
    unavailable: list[UnavailableCard] | None = None
