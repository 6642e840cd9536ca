"""Facts of the listings service. Each carries the snapshot that bookings needs to quote and hold a stay."""

from datetime import time
from enum import StrEnum
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

from nexus_contracts.envelope import Event
from nexus_contracts.money import Money
from nexus_contracts.rates import CancellationTier, LengthDiscount, Rates


class ListingStatus(StrEnum):
    """Only a published listing can be found and booked."""

    DRAFT = "draft"
    PUBLISHED = "published"
    UNPUBLISHED = "unpublished"
    ARCHIVED = "archived"


class CancellationPolicy(StrEnum):
    """How much a guest gets back, by how long before check-in the stay is cancelled."""

    FLEXIBLE = "flexible"
    MODERATE = "moderate"
    STRICT = "strict"
    CUSTOM = "custom"
    """The host's own `cancellation_tiers`."""


class ListingSnapshot(BaseModel):
    """What bookings must know of a listing. `version` grows with every change: the higher is newer."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    id: UUID
    version: int
    host_id: UUID
    status: ListingStatus
    title: str
    timezone: str = Field(description="IANA name; nights are dates in this zone.")
    price: Money = Field(description="Per night and unit.")
    cleaning_fee: Money
    capacity: int = Field(description="Guests per unit.")
    units: int = Field(description="Identical places to stay that can be booked for the same night.")
    min_nights: int
    max_nights: int
    instant_book: bool = Field(description="False: the host answers each request first.")
    cancellation_policy: CancellationPolicy
    cancellation_tiers: tuple[CancellationTier, ...] = Field(default=(), description="Of a custom policy only.")
    rates: Rates = Field(default=Rates(), description="What is different on some days.")
    length_discounts: tuple[LengthDiscount, ...] = ()
    included_guests: int | None = Field(default=None, description="How many the price is for; null: all.")
    extra_guest_fee: Money | None = Field(default=None, description="Per night, for each guest above those.")
    advance_notice_hours: int = Field(default=0, description="A stay is booked at least so long before check-in.")
    booking_window_days: int = Field(default=540, description="Check-in is at most so many days away.")
    check_in_time: time = Field(default=time(15), description="Local time at which a stay begins.")
    check_out_time: time = Field(default=time(11), description="Local time at which it is over.")


class ListingFact(Event):
    """The shape that all facts of a listing share."""

    listing_id: UUID
    listing: ListingSnapshot


class ListingPublished(ListingFact, type="nexus.listings.listing.published.v1", subject="listing_id"):
    """The listing can be found and booked."""


class ListingUpdated(ListingFact, type="nexus.listings.listing.updated.v1", subject="listing_id"):
    """A published or unpublished listing changed; earlier quotes keep their price."""


class ListingUnpublished(ListingFact, type="nexus.listings.listing.unpublished.v1", subject="listing_id"):
    """The listing can no longer be found or newly booked; its bookings stand."""


class ListingDeleted(ListingFact, type="nexus.listings.listing.deleted.v1", subject="listing_id"):
    """The host removed the listing for good; its bookings stand."""


class MatchedListing(BaseModel):
    """What a mail says of a place that a saved search found."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    id: UUID
    title: str
    city: str
    price: Money = Field(description="Per night and unit.")


class SavedSearchMatched(Event, type="nexus.listings.saved_search.matched.v1", subject="saved_search_id"):
    """Listings that a saved search finds were published since it was looked at before; its owner wants a mail."""

    saved_search_id: UUID
    user_id: UUID = Field(description="Whose search it is.")
    name: str = Field(description="What its owner calls it.")
    matches: int = Field(description="How many new listings there are.")
    listings: tuple[MatchedListing, ...] = Field(description="The newest of them.")
