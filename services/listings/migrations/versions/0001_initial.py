"""The whole schema of the listings service, and the categories that it starts with."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

PUBLISHED = sa.text("status = 'published'")
WORDS = " || ".join(
    f"setweight(to_tsvector('{language}'::regconfig, fold({source})), '{weight}')"
    for source, weight in (("title", "A"), ("coalesce(description, '')", "B"), ("coalesce(city, '')", "C"))
    for language in ("simple", "english")
)
CATEGORIES = {
    ("apartment", "Apartment"): [("studio", "Studio"), ("loft", "Loft"), ("serviced-apartment", "Serviced apartment")],
    ("house", "House"): [("townhouse", "Townhouse"), ("bungalow", "Bungalow"), ("tukul", "Tukul")],
    ("villa", "Villa"): [],
    ("cabin", "Cabin"): [("treehouse", "Treehouse")],
    ("guest-house", "Guest house"): [],
    ("hotel-room", "Hotel room"): [("hotel-suite", "Hotel suite")],
    ("lodge", "Lodge"): [("safari-tent", "Safari tent")],
    ("hostel-bed", "Hostel bed"): [],
    ("boat", "Boat"): [],
}


def upgrade() -> None:
    """Create everything. The extension is a trusted one: a database's owner may create it."""
    op.execute("CREATE EXTENSION IF NOT EXISTS unaccent")
    # unaccent() is only STABLE, because its dictionary could be edited; ours is not, and indexes need IMMUTABLE.
    # The body is bound now (RETURN, not a string), so that it means the same under any search_path.
    op.execute(
        "CREATE FUNCTION fold(value text) RETURNS text LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE"
        " RETURN lower(unaccent('unaccent'::regdictionary, value))"
    )
    create_kit_tables()
    create_categories()
    create_listings()
    create_indexes()


def create_kit_tables() -> None:
    """The outbox and the inbox, as the kit declares them."""
    op.create_table(
        "inbox",
        sa.Column("consumer", sa.Text(), nullable=False),
        sa.Column("event_id", sa.Uuid(), nullable=False),
        sa.Column("received_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.PrimaryKeyConstraint("consumer", "event_id"),
    )
    op.create_index("ix_inbox_received_at", "inbox", ["received_at"])
    op.create_table(
        "outbox",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("event_id", sa.Uuid(), server_default=sa.text("uuidv7()"), nullable=False),
        sa.Column("type", sa.Text(), nullable=False),
        sa.Column("subject", sa.Uuid(), nullable=False),
        sa.Column("sequence", sa.Integer(), nullable=False),
        sa.Column("time", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("data", postgresql.JSONB(), nullable=False),
        sa.Column("traceparent", sa.Text()),
        sa.Column("request_id", sa.Text()),
        sa.Column("published_at", sa.DateTime(timezone=True)),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index(
        "ix_outbox_published_at", "outbox", ["published_at"], postgresql_where=sa.text("published_at IS NOT NULL")
    )
    op.create_index("ix_outbox_unpublished", "outbox", ["id"], postgresql_where=sa.text("published_at IS NULL"))


def create_categories() -> None:
    """The tree and its first leaves."""
    categories = op.create_table(
        "categories",
        sa.Column("slug", sa.String(length=50), nullable=False),
        sa.Column("parent", sa.String(length=50)),
        sa.Column("name", sa.String(length=80), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.CheckConstraint("slug ~ '^[a-z0-9]+(-[a-z0-9]+)*$'", name="slug"),
        sa.CheckConstraint("parent <> slug", name="parent"),
        sa.ForeignKeyConstraint(["parent"], ["categories.slug"]),
        sa.PrimaryKeyConstraint("slug"),
    )
    op.create_index("ix_categories_parent", "categories", ["parent"])
    for position, ((slug, name), children) in enumerate(CATEGORIES.items(), start=1):
        rows = [{"slug": slug, "parent": None, "name": name, "position": position}]
        rows += [
            {"slug": child, "parent": slug, "name": name, "position": place}
            for place, (child, name) in enumerate(children, start=1)
        ]
        op.bulk_insert(categories, rows)


def create_listings() -> None:
    """Listings, and what bookings says of their nights."""
    op.create_table(
        "sold_out_nights",
        sa.Column("listing_id", sa.Uuid(), nullable=False),
        sa.Column("night", sa.Date(), nullable=False),
        sa.Column("sold_out", sa.Boolean(), nullable=False),
        sa.Column("sequence", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("listing_id", "night"),
    )
    op.create_table(
        "listings",
        sa.Column("id", sa.Uuid(), server_default=sa.text("uuidv7()"), nullable=False),
        sa.Column("host_id", sa.Uuid(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("status", sa.String(20), nullable=False),
        sa.Column("title", sa.Text(), nullable=False),
        sa.Column("description", sa.Text()),
        sa.Column("category", sa.String(length=50)),
        sa.Column("city", sa.Text()),
        sa.Column("country", sa.Text()),
        sa.Column("latitude", sa.Double()),
        sa.Column("longitude", sa.Double()),
        sa.Column("timezone", sa.Text()),
        sa.Column("currency", sa.Text(), nullable=False),
        sa.Column("price_amount", sa.BigInteger()),
        sa.Column("cleaning_fee_amount", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("capacity", sa.Integer()),
        sa.Column("units", sa.Integer(), server_default=sa.text("1"), nullable=False),
        sa.Column("amenities", postgresql.ARRAY(sa.Text()), server_default=sa.text("'{}'::text[]"), nullable=False),
        sa.Column("min_nights", sa.Integer(), server_default=sa.text("1"), nullable=False),
        sa.Column("max_nights", sa.Integer(), server_default=sa.text("365"), nullable=False),
        sa.Column("instant_book", sa.Boolean(), server_default=sa.text("true"), nullable=False),
        sa.Column("cancellation_policy", sa.String(20), server_default="flexible", nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("published_at", sa.DateTime(timezone=True)),
        sa.Column("words", postgresql.TSVECTOR(), sa.Computed(WORDS, persisted=True)),
        sa.CheckConstraint("cancellation_policy IN ('flexible', 'moderate', 'strict')", name="cancellation_policy"),
        sa.CheckConstraint("published_at IS NOT NULL OR status IN ('draft', 'archived')", name="published_at"),
        sa.CheckConstraint("status IN ('draft', 'published', 'unpublished', 'archived')", name="status"),
        sa.CheckConstraint("capacity > 0 AND units > 0", name="places"),
        sa.CheckConstraint("min_nights BETWEEN 1 AND max_nights", name="nights"),
        sa.CheckConstraint("price_amount > 0 AND cleaning_fee_amount >= 0", name="amounts"),
        sa.CheckConstraint(
            "published_at IS NULL OR num_nulls(description, category, city, country, latitude, longitude, timezone,"
            " price_amount, capacity) = 0",
            name="complete",
        ),
        sa.ForeignKeyConstraint(["category"], ["categories.slug"]),
        sa.PrimaryKeyConstraint("id"),
    )


def create_indexes() -> None:
    """One for each filter of the search, and the host's own list."""
    newest = (sa.text("published_at DESC"), sa.text("id DESC"))
    found_by = {
        "newest": newest,
        "price": ("price_amount", "id"),
        "category": ("category", *newest),
        "city": (sa.text("fold(city)"), *newest),
        "country": ("country", *newest),
        "capacity": ("capacity",),
    }
    for name, columns in found_by.items():
        op.create_index(f"ix_listings_published_{name}", "listings", list(columns), postgresql_where=PUBLISHED)
    op.create_index(
        "ix_listings_published_words",
        "listings",
        ["words"],
        postgresql_using="gin",
        postgresql_with={"fastupdate": "off"},
        postgresql_where=PUBLISHED,
    )
    op.create_index("ix_listings_host_id", "listings", ["host_id", sa.text("id DESC")])
    op.create_index("ix_listings_category", "listings", ["category"])


def downgrade() -> None:
    """Forget it all."""
    for table in ("listings", "sold_out_nights", "categories", "outbox", "inbox"):
        op.drop_table(table)
    op.execute("DROP FUNCTION fold(text)")
