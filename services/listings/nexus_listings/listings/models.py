"""The table of listings: what a host keeps, what the database insists on, and the legal moves between states.

`service.py` writes it, `search` reads it; bookings never reads it but is told by events.
"""

from datetime import datetime, time
from typing import Any
from uuid import UUID
from zlib import crc32

from nexus_contracts.listings import CancellationPolicy, ListingStatus
from nexus_contracts.money import Money
from nexus_contracts.rates import CancellationTier, LengthDiscount, Rates
from nexus_kit.db import BigInt, CreatedAt, Document, Timestamp, Uuid7Pk
from nexus_kit.errors import IllegalTransition
from pydantic_core import to_json
from sqlalchemy import (
    CheckConstraint,
    ColumnElement,
    Computed,
    DateTime,
    Double,
    ForeignKey,
    Index,
    Text,
    UniqueConstraint,
    func,
    literal_column,
    text,
    true,
)
from sqlalchemy.dialects.postgresql import ARRAY, TSVECTOR
from sqlalchemy.orm import Mapped, deferred, mapped_column

from nexus_listings.db import Base
from nexus_listings.photos.models import ShownPhoto

LEGAL_MOVES: dict[ListingStatus, frozenset[ListingStatus]] = {
    ListingStatus.DRAFT: frozenset({ListingStatus.PUBLISHED, ListingStatus.ARCHIVED}),
    ListingStatus.PUBLISHED: frozenset({ListingStatus.UNPUBLISHED, ListingStatus.ARCHIVED}),
    ListingStatus.UNPUBLISHED: frozenset({ListingStatus.PUBLISHED, ListingStatus.ARCHIVED}),
    ListingStatus.ARCHIVED: frozenset(),
}

NEEDED_TO_PUBLISH = (
    *("description", "category", "city", "country", "latitude", "longitude", "timezone", "price", "capacity"),
)
"""What a draft may lack, and a listing that was ever published may not."""

_COMPLETE = "num_nulls(description, category, city, country, latitude, longitude, timezone, price_amount, capacity) = 0"

# Title over description over city; words as written (`simple`) and by their stem (`english`); accents folded.
_WORDS = " || ".join(
    f"setweight(to_tsvector('{language}'::regconfig, fold({source})), '{weight}')"
    for source, weight in (("title", "A"), ("coalesce(description, '')", "B"), ("coalesce(city, '')", "C"))
    for language in ("simple", "english")
)


class Listing(Base):
    """A place to stay, and its host's terms. Only its host writes it."""

    __tablename__ = "listings"
    # RETURNING brings back what the database computed, so that nothing is loaded later behind our back.
    __mapper_args__ = {"eager_defaults": True}
    __table_args__ = (
        CheckConstraint("status IN ('draft', 'published', 'unpublished', 'archived')", name="status"),
        CheckConstraint(
            "cancellation_policy IN ('flexible', 'moderate', 'strict', 'custom')", name="cancellation_policy"
        ),
        CheckConstraint("published_at IS NOT NULL OR status IN ('draft', 'archived')", name="published_at"),
        CheckConstraint(f"published_at IS NULL OR {_COMPLETE}", name="complete"),
        CheckConstraint("min_nights BETWEEN 1 AND max_nights", name="nights"),
        CheckConstraint("price_amount > 0 AND cleaning_fee_amount >= 0", name="amounts"),
        CheckConstraint("capacity > 0 AND units > 0", name="places"),
        CheckConstraint("included_guests BETWEEN 1 AND capacity", name="included_guests"),
        CheckConstraint("extra_guest_fee_amount >= 0", name="extra_guest_fee"),
        CheckConstraint("cancellation_policy = 'custom' OR cancellation_tiers = '[]'", name="tiers_of_custom"),
        CheckConstraint(
            "published_at IS NULL OR cancellation_policy <> 'custom' OR cancellation_tiers <> '[]'",
            name="tiers_complete",
        ),
        CheckConstraint("advance_notice_hours >= 0 AND booking_window_days > 0", name="window"),
        CheckConstraint("rating BETWEEN 1 AND 5 AND reviews >= 0", name="rating"),
        UniqueConstraint("host_id", "external_id"),
    )

    id: Mapped[Uuid7Pk]
    host_id: Mapped[UUID]
    """A user of auth."""
    external_id: Mapped[str | None] = mapped_column(Text)
    """The host's own name for it, unique among the host's: an import made twice finds what it made."""
    version: Mapped[int] = mapped_column(default=1)
    """Grows with every change but those of its photos: an edit is based on it; the sequence of its events."""
    status: Mapped[ListingStatus] = mapped_column(default=ListingStatus.DRAFT)

    title: Mapped[str] = mapped_column(Text)
    description: Mapped[str | None] = mapped_column(Text)
    category: Mapped[str | None] = mapped_column(ForeignKey("categories.slug"))
    city: Mapped[str | None] = mapped_column(Text)
    country: Mapped[str | None] = mapped_column(Text)
    """ISO 3166-1 alpha-2."""
    latitude: Mapped[float | None]
    longitude: Mapped[float | None]
    """Degrees, WGS 84."""
    timezone: Mapped[str | None] = mapped_column(Text)
    """IANA name: nights are dates in this zone."""

    currency: Mapped[str] = mapped_column(Text)
    """ISO 4217, of both amounts."""
    price_amount: Mapped[BigInt | None]
    """Per night and unit, in minor units."""
    cleaning_fee_amount: Mapped[BigInt] = mapped_column(server_default=text("0"))
    """Once per stay, in minor units."""

    capacity: Mapped[int | None]
    """Guests per unit."""
    included_guests: Mapped[int | None]
    """How many the price is for; null: all."""
    extra_guest_fee_amount: Mapped[BigInt] = mapped_column(server_default=text("0"))
    """Per night, for each guest above those, in minor units."""
    units: Mapped[int] = mapped_column(server_default=text("1"))
    """Identical places that can be booked for the same night."""
    amenities: Mapped[list[str]] = mapped_column(ARRAY(Text), server_default=text("'{}'::text[]"))
    """Values of `Amenity`, sorted."""
    min_nights: Mapped[int] = mapped_column(server_default=text("1"))
    max_nights: Mapped[int] = mapped_column(server_default=text("365"))
    rates: Mapped[Rates] = mapped_column(Document(Rates), server_default=text("""'{"rules": []}'::jsonb"""))
    """What is different on some days: prices, shortest and longest stay, no arrival, no departure."""
    length_discounts: Mapped[list[LengthDiscount]] = mapped_column(
        Document(list[LengthDiscount]), server_default=text("'[]'::jsonb")
    )
    advance_notice_hours: Mapped[int] = mapped_column(server_default=text("0"))
    """A stay is booked at least so long before check-in."""
    booking_window_days: Mapped[int] = mapped_column(server_default=text("540"))
    """Check-in is at most so many days away."""
    check_in_time: Mapped[time] = mapped_column(server_default=text("'15:00'"))
    check_out_time: Mapped[time] = mapped_column(server_default=text("'11:00'"))
    """Local times at which a stay begins and is over."""
    house_rules: Mapped[list[str]] = mapped_column(ARRAY(Text), server_default=text("'{}'::text[]"))
    """In the host's words, one sentence each."""
    instant_book: Mapped[bool] = mapped_column(server_default=true())
    """False: the host answers each request first."""
    cancellation_policy: Mapped[CancellationPolicy] = mapped_column(server_default=CancellationPolicy.FLEXIBLE.value)
    cancellation_tiers: Mapped[list[CancellationTier]] = mapped_column(
        Document(list[CancellationTier]), server_default=text("'[]'::jsonb")
    )
    """Of a custom policy only."""
    rating: Mapped[float | None]
    """Mean of the stars (1 to 5) that guests gave; null before the first review. Only bookings' facts move it."""
    reviews: Mapped[int] = mapped_column(server_default=text("0"))
    photos: Mapped[list[ShownPhoto]] = mapped_column(Document(list[ShownPhoto]), server_default=text("'[]'::jsonb"))
    """Those that are ready, in their order; the first is the cover. `photos/service.py` moves it."""

    created_at: Mapped[CreatedAt]
    updated_at: Mapped[CreatedAt] = mapped_column(onupdate=func.now())
    published_at: Mapped[Timestamp | None]
    """When guests could first find it; it never moves, so that publishing anew does not make a listing newer."""

    words: Mapped[str] = deferred(mapped_column(TSVECTOR, Computed(_WORDS, persisted=True)))
    """What full-text search looks at."""
    cell: Mapped[BigInt | None] = deferred(mapped_column(Computed("cell_of(latitude, longitude)", persisted=True)))
    """Where it is on a grid whose cells are numbered so that a box is a few ranges (`shapes.covering`)."""
    lowest_price: Mapped[BigInt | None] = deferred(
        mapped_column(Computed("lowest_price(price_amount, rates, length_discounts)", persisted=True))
    )
    highest_price: Mapped[BigInt | None] = deferred(
        mapped_column(Computed("highest_price(price_amount, rates)", persisted=True))
    )
    """What a night of any stay costs at least and at most, in minor units."""

    @property
    def price(self) -> Money | None:
        """Per night and unit."""
        return None if self.price_amount is None else Money(amount=self.price_amount, currency=self.currency)

    @price.setter
    def price(self, money: Money | None) -> None:
        self.price_amount = None if money is None else money.amount

    @property
    def cleaning_fee(self) -> Money:
        """Once per stay."""
        return Money(amount=self.cleaning_fee_amount, currency=self.currency)

    @cleaning_fee.setter
    def cleaning_fee(self, money: Money) -> None:
        self.cleaning_fee_amount = money.amount

    @property
    def extra_guest_fee(self) -> Money:
        """Per night, for each guest above those that the price includes."""
        return Money(amount=self.extra_guest_fee_amount, currency=self.currency)

    @extra_guest_fee.setter
    def extra_guest_fee(self, money: Money) -> None:
        self.extra_guest_fee_amount = money.amount

    @property
    def shown_version(self) -> str:
        """The ETag's: the version, and behind a dot the photos, which become ready while the host edits the rest."""
        return f"{self.version}.{crc32(to_json(self.photos)):08x}" if self.photos else str(self.version)

    def move(self, status: ListingStatus) -> None:
        """Go to another state, or raise `IllegalTransition`."""
        if status not in LEGAL_MOVES[self.status]:
            raise IllegalTransition(f"A listing that is {self.status} cannot become {status}.")
        self.status = status


class ErasedHost(Base):
    """A host whose account was erased. Their token is believed for some time more; their listings stay archived."""

    __tablename__ = "erased_hosts"
    __table_args__ = (Index("ix_erased_hosts_not_emptied", "host_id", postgresql_where=text("emptied_at IS NULL")),)

    host_id: Mapped[UUID] = mapped_column(primary_key=True)
    erased_at: Mapped[datetime] = mapped_column(DateTime(timezone=True), server_default=func.now())
    emptied_at: Mapped[Timestamp | None]
    """When the last of their listings was archived."""


IS_PUBLISHED = Listing.status == literal_column("'published'")
"""Written out, never a parameter: only so does PostgreSQL see that the partial indexes below fit."""

RATED: ColumnElement[float] = func.coalesce(Listing.rating, literal_column("0"), type_=Double)
TITLE: ColumnElement[Any] = func.ts_filter(Listing.words, literal_column("'{a}'"), type_=TSVECTOR)
TEXT: ColumnElement[Any] = func.ts_filter(Listing.words, literal_column("'{a,b}'"), type_=TSVECTOR)
GLOBE: ColumnElement[Any] = func.on_globe(Listing.latitude, Listing.longitude)
"""Expressions that have an index: what full-text search sees of the title, and of title and description; the globe."""

# One index for each filter, in the order of the newest-first page wherever the filter is an equality.
_NEWEST = (Listing.published_at.desc(), Listing.id.desc())
_FOUND_BY: dict[str, tuple[ColumnElement[Any], ...]] = {
    "newest": _NEWEST,
    "price": (Listing.price_amount.expression, Listing.id.expression),
    "category": (Listing.category.expression, *_NEWEST),
    "city": (func.fold(Listing.city), *_NEWEST),
    "country": (Listing.country.expression, *_NEWEST),
    "capacity": (Listing.capacity.expression,),
    "cell": (Listing.cell.expression,),
    "lowest_price": (Listing.lowest_price.expression, Listing.id.expression),
    "highest_price": (Listing.highest_price.expression, Listing.id.expression),
    "rating": (RATED.desc(), Listing.reviews.desc(), Listing.id.desc()),
}
for _filter, _columns in _FOUND_BY.items():
    Index(f"ix_listings_published_{_filter}", *_columns, postgresql_where=IS_PUBLISHED)
_CONTAINED_IN: dict[str, ColumnElement[Any]] = {
    "words": Listing.words.expression,
    "title": TITLE,
    "text": TEXT,
    "amenities": Listing.amenities.expression,
}
for _filter, _column in _CONTAINED_IN.items():
    # New rows wait in a short list that each search reads through: else an import would spend half its time here.
    Index(
        f"ix_listings_published_{_filter}",
        _column,
        postgresql_using="gin",
        postgresql_with={"fastupdate": "on", "gin_pending_list_limit": "1024"},
        postgresql_where=IS_PUBLISHED,
    )
Index("ix_listings_published_globe", GLOBE, postgresql_using="gist", postgresql_where=IS_PUBLISHED)
Index("ix_listings_host_id", Listing.host_id, Listing.id.desc())
Index("ix_listings_category", Listing.category)
