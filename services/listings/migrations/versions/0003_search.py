"""What the search needs: places on the globe, words with typos, prices by date."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

PUBLISHED = sa.text("status = 'published'")

GLOBE = """
CREATE FUNCTION on_globe(latitude float8, longitude float8) RETURNS cube
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
RETURN cube(ARRAY[
    cos(radians(latitude)) * cos(radians(longitude)),
    cos(radians(latitude)) * sin(radians(longitude)),
    sin(radians(latitude))
])
"""

# The bits of column and row of a grid of 2^16 by 2^16 cells, interleaved (Morton order): what is near has near numbers,
# so a box is a few ranges of one number, and PostgreSQL's statistics of that number know how much is in them.
CELL = """
CREATE FUNCTION cell_of(latitude float8, longitude float8) RETURNS bigint
LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE AS $$
DECLARE
    x bigint := least(trunc((longitude + 180) / 360 * 65536), 65535);
    y bigint := least(trunc((latitude + 90) / 180 * 65536), 65535);
BEGIN
    x := (x | (x << 8)) & x'00FF00FF'::bigint;
    x := (x | (x << 4)) & x'0F0F0F0F'::bigint;
    x := (x | (x << 2)) & x'33333333'::bigint;
    x := (x | (x << 1)) & x'55555555'::bigint;
    y := (y | (y << 8)) & x'00FF00FF'::bigint;
    y := (y | (y << 4)) & x'0F0F0F0F'::bigint;
    y := (y | (y << 2)) & x'33333333'::bigint;
    y := (y | (y << 1)) & x'55555555'::bigint;
    RETURN y << 1 | x;
END $$
"""

# `Rates.on` (nexus_contracts/rates.py) in SQL, for several days at once: of the rules that speak of a day and of a
# term, the one with the highest priority has the word, of equals the one further down the list.
TERMS = """
CREATE FUNCTION terms(rates jsonb, first_day date, last_day date)
RETURNS TABLE (
    day date, price bigint, min_nights int, max_nights int, closed_to_arrival bool, closed_to_departure bool
)
LANGUAGE sql IMMUTABLE PARALLEL SAFE ROWS 5 AS $$
    SELECT
        days.day,
        (array_agg(rule.price ORDER BY strength DESC) FILTER (WHERE rule.price IS NOT NULL))[1],
        (array_agg(rule.min_nights ORDER BY strength DESC) FILTER (WHERE rule.min_nights IS NOT NULL))[1],
        (array_agg(rule.max_nights ORDER BY strength DESC) FILTER (WHERE rule.max_nights IS NOT NULL))[1],
        coalesce((array_agg(arrival ORDER BY strength DESC) FILTER (WHERE arrival IS NOT NULL))[1], false),
        coalesce((array_agg(departure ORDER BY strength DESC) FILTER (WHERE departure IS NOT NULL))[1], false)
    FROM (SELECT first_day + n AS day FROM generate_series(0, last_day - first_day) AS n) AS days
    LEFT JOIN (
        SELECT
            row_number() OVER (ORDER BY coalesce((value ->> 'priority')::int, 0), place) AS strength,
            (value ->> 'first_night')::date AS first_night,
            (value ->> 'last_night')::date AS last_night,
            coalesce(value -> 'weekdays', '[]') AS weekdays,
            (value -> 'price' ->> 'amount')::bigint AS price,
            (value ->> 'min_nights')::int AS min_nights,
            (value ->> 'max_nights')::int AS max_nights,
            (value ->> 'closed_to_arrival')::bool AS arrival,
            (value ->> 'closed_to_departure')::bool AS departure
        FROM jsonb_array_elements(rates -> 'rules') WITH ORDINALITY AS rules (value, place)
    ) AS rule ON (rule.first_night IS NULL OR rule.first_night <= days.day)
        AND (rule.last_night IS NULL OR days.day <= rule.last_night)
        AND (
            rule.weekdays = '[]'
            OR rule.weekdays ? ('{monday,tuesday,wednesday,thursday,friday,saturday,sunday}'::text[])
                [extract(isodow FROM days.day)::int]
        )
    GROUP BY days.day
$$
"""

# A zone that this server's tz database does not know must not break a search.
LOCAL_TIME = """
CREATE FUNCTION local_time(zone text) RETURNS timestamp LANGUAGE plpgsql STABLE PARALLEL SAFE AS $$
BEGIN
    RETURN now() AT TIME ZONE zone;
EXCEPTION WHEN invalid_parameter_value THEN
    RETURN now() AT TIME ZONE 'UTC';
END $$
"""

# What bookings would answer to this stay: why it is refused (null: it is not), and what its nights cost. Dates far from
# both ends of what can be booked are spared the time zone; listings without rules are spared the reading of them. Its
# statements are planned once, whatever the search around it says: planning takes longer than running them.
OFFER = """
CREATE FUNCTION offer(
    listing listings, check_in date, check_out date, OUT refusal text, OUT total bigint, OUT nightly bigint
)
LANGUAGE plpgsql STABLE PARALLEL SAFE SET plan_cache_mode = force_generic_plan AS $$
DECLARE
    nights int := check_out - check_in;
    ahead int := check_in - current_date;
    shortest int := listing.min_nights;
    longest int := listing.max_nights;
    no_arrival bool := false;
    no_departure bool := false;
    here timestamp;
    percent int;
BEGIN
    IF listing.rates -> 'rules' = '[]' THEN
        total := nights * listing.price_amount;
    ELSE
        SELECT
            sum(coalesce(terms.price, listing.price_amount)) FILTER (WHERE terms.day < check_out),
            coalesce(max(terms.min_nights) FILTER (WHERE terms.day = check_in), shortest),
            coalesce(max(terms.max_nights) FILTER (WHERE terms.day = check_in), longest),
            bool_or(terms.closed_to_arrival) FILTER (WHERE terms.day = check_in),
            bool_or(terms.closed_to_departure) FILTER (WHERE terms.day = check_out)
        INTO total, shortest, longest, no_arrival, no_departure
        FROM terms(listing.rates, check_in, check_out);
    END IF;
    IF listing.length_discounts <> '[]' THEN
        SELECT discount.percent INTO percent
        FROM jsonb_to_recordset(listing.length_discounts) AS discount (nights int, percent int)
        WHERE discount.nights <= check_out - check_in ORDER BY discount.nights DESC LIMIT 1;
        total := total - (total * coalesce(percent, 0) + 50) / 100;
    END IF;
    nightly := (2 * total + nights) / (2 * nights);

    IF ahead <= listing.advance_notice_hours / 24 + 2 OR ahead >= listing.booking_window_days - 2 THEN
        here := local_time(listing.timezone);
        refusal := CASE
            WHEN check_in < here::date THEN 'advance_notice'
            WHEN (listing.advance_notice_hours > 0 OR NOT listing.instant_book)
                AND check_in + listing.check_in_time < here + make_interval(hours => listing.advance_notice_hours)
                THEN 'advance_notice'
            WHEN check_in > here::date + listing.booking_window_days THEN 'booking_window'
        END;
    END IF;
    refusal := CASE
        WHEN refusal IS NOT NULL THEN refusal
        WHEN no_arrival THEN 'closed_to_arrival'
        WHEN no_departure THEN 'closed_to_departure'
        WHEN nights < shortest THEN 'minimum_stay'
        WHEN nights > longest THEN 'maximum_stay'
        WHEN EXISTS (
            SELECT FROM sold_out_nights AS sold
            WHERE sold.listing_id = listing.id AND sold.night >= check_in AND sold.night < check_out AND sold.sold_out
        ) THEN 'sold_out'
    END;
END $$
"""

# What `offer` can never go below or above, whatever the dates: an index on it finds the candidates of a price range.
BOUNDS = """
CREATE FUNCTION {name}(price bigint, rates jsonb{more}) RETURNS bigint LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE AS $$
DECLARE
    bound bigint := price;
BEGIN
    IF rates -> 'rules' <> '[]' THEN
        SELECT {extreme}(bound, {aggregate}((rule -> 'price' ->> 'amount')::bigint)) INTO bound
        FROM jsonb_array_elements(rates -> 'rules') AS rule;
    END IF;
    {discounted}
    RETURN bound;
END $$
"""
DISCOUNTED = """
    IF discounts <> '[]' THEN
        SELECT bound * (100 - max((discount ->> 'percent')::int)) / 100 - 1 INTO bound
        FROM jsonb_array_elements(discounts) AS discount;
    END IF;
"""

# The word and all that is left of it when one letter is left out, of long words two. Whoever mistypes one letter (adds,
# drops, mistakes it, or swaps two) has something in common with what was meant.
MISSPELLINGS = """
CREATE FUNCTION misspellings(word text) RETURNS text[] LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $$
    WITH once AS (
        SELECT DISTINCT left(word, place - 1) || substr(word, place + 1) AS rest
        FROM generate_series(1, length(word)) AS place
    )
    SELECT array_agg(DISTINCT rest) FROM (
        SELECT word AS rest
        UNION ALL SELECT rest FROM once
        UNION ALL SELECT left(rest, place - 1) || substr(rest, place + 1)
        FROM once, generate_series(1, length(rest)) AS place WHERE length(word) >= 8
    ) AS all_of_them
$$
"""

# One statement for all rows that a statement wrote, however many. It never waits for another writer: two that bring the
# same new word at once both write it, and the prune leaves one.
LEARN = """
CREATE FUNCTION learn_words(texts tsvector[]) RETURNS void LANGUAGE sql AS $$
    INSERT INTO lexemes (word, misspellings)
    SELECT word, misspellings(word) FROM (
        SELECT DISTINCT word FROM unnest(texts) AS text, unnest(tsvector_to_array(text)) AS word
        WHERE length(word) BETWEEN 3 AND 24 AND word ~ '^[[:alpha:]]+$'
    ) AS found
    WHERE NOT EXISTS (SELECT FROM lexemes WHERE lexemes.word = found.word)
$$
"""
LEARN_OF_NEW = """
CREATE FUNCTION learn_words_of_new_listings() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    texts tsvector[];
BEGIN
    IF TG_OP = 'INSERT' THEN
        SELECT array_agg(words) INTO texts FROM new_listings WHERE status = 'published';
    ELSE
        SELECT array_agg(new_listings.words) INTO texts FROM new_listings JOIN old_listings USING (id)
        WHERE new_listings.status = 'published'
            AND (old_listings.status <> 'published' OR old_listings.words <> new_listings.words);
    END IF;
    IF texts IS NOT NULL THEN
        PERFORM learn_words(texts);
    END IF;
    RETURN NULL;
END $$
"""
TRIGGERS = {
    "insert": "NEW TABLE AS new_listings",
    "update": "OLD TABLE AS old_listings NEW TABLE AS new_listings",
}

GENERATED = {
    "cell": "cell_of(latitude, longitude)",
    "lowest_price": "lowest_price(price_amount, rates, length_discounts)",
    "highest_price": "highest_price(price_amount, rates)",
}
INDEXES = {
    "cell": (sa.text("cell"),),
    "lowest_price": (sa.text("lowest_price"), sa.text("id")),
    "highest_price": (sa.text("highest_price"), sa.text("id")),
    "rating": (sa.text("coalesce(rating, 0) DESC"), sa.text("reviews DESC"), sa.text("id DESC")),
}
# New rows wait in a short list that each search reads through: else an import would spend half its time on these.
PENDING = {"fastupdate": "on", "gin_pending_list_limit": "1024"}
GINS = {
    "amenities": "amenities",
    "title": "ts_filter(words, '{a}')",
    "text": "ts_filter(words, '{a,b}')",
}
# The planner does not look at what a partial index knows of its expressions; it does look at these.
STATISTICS = {
    "title": "ts_filter(words, '{a}')",
    "text": "ts_filter(words, '{a,b}')",
    "city": "fold(city)",
}


def upgrade() -> None:
    """The table is rewritten once, for the generated columns. The extension is a trusted one."""
    op.execute("CREATE EXTENSION IF NOT EXISTS cube")
    lowest = BOUNDS.format(
        name="lowest_price", more=", discounts jsonb", extreme="least", aggregate="min", discounted=DISCOUNTED
    )
    highest = BOUNDS.format(name="highest_price", more="", extreme="greatest", aggregate="max", discounted="")
    for statement in (GLOBE, CELL, TERMS, LOCAL_TIME, OFFER, lowest, highest, MISSPELLINGS):
        op.execute(statement)
    columns = (f"ADD COLUMN {name} bigint GENERATED ALWAYS AS ({value}) STORED" for name, value in GENERATED.items())
    op.execute(f"ALTER TABLE listings {', '.join(columns)}")
    for name, keys in INDEXES.items():
        op.create_index(f"ix_listings_published_{name}", "listings", list(keys), postgresql_where=PUBLISHED)
    for name, key in GINS.items():
        op.create_index(
            f"ix_listings_published_{name}",
            "listings",
            [sa.text(key)],
            postgresql_using="gin",
            postgresql_with=PENDING,
            postgresql_where=PUBLISHED,
        )
    op.execute("ALTER INDEX ix_listings_published_words SET (fastupdate = on, gin_pending_list_limit = 1024)")
    op.create_index(
        "ix_listings_published_globe",
        "listings",
        [sa.text("on_globe(latitude, longitude)")],
        postgresql_using="gist",
        postgresql_where=PUBLISHED,
    )
    # Places crowd: with fewer buckets a city and the land around it look alike.
    op.execute("ALTER TABLE listings ALTER COLUMN cell SET STATISTICS 1000")
    for name, expression in STATISTICS.items():
        op.execute(f"CREATE STATISTICS st_listings_{name} ON ({expression}) FROM listings")
    create_lexemes()


def create_lexemes() -> None:
    """The words that published listings have, those of the present ones at once."""
    op.create_table(
        "lexemes",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("word", sa.Text(), nullable=False),
        sa.Column("misspellings", postgresql.ARRAY(sa.Text()), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("ix_lexemes_word", "lexemes", ["word"])
    op.create_index(
        "ix_lexemes_misspellings",
        "lexemes",
        ["misspellings"],
        postgresql_using="gin",
        postgresql_with={"fastupdate": "off"},
    )
    op.execute(LEARN)
    op.execute("SELECT learn_words(array_agg(words)) FROM listings WHERE status = 'published'")
    op.execute(LEARN_OF_NEW)
    for event, tables in TRIGGERS.items():
        op.execute(
            f"CREATE TRIGGER learn_words_on_{event} AFTER {event} ON listings REFERENCING {tables}"
            " FOR EACH STATEMENT EXECUTE FUNCTION learn_words_of_new_listings()"
        )


def downgrade() -> None:
    """Forget it all."""
    for event in TRIGGERS:
        op.execute(f"DROP TRIGGER learn_words_on_{event} ON listings")
    op.execute("DROP FUNCTION learn_words_of_new_listings(), learn_words(tsvector[])")
    op.drop_table("lexemes")
    for name in (*INDEXES, *GINS, "globe"):
        op.drop_index(f"ix_listings_published_{name}", "listings")
    for name in STATISTICS:
        op.execute(f"DROP STATISTICS st_listings_{name}")
    op.execute("ALTER INDEX ix_listings_published_words SET (fastupdate = off)")
    op.execute("ALTER INDEX ix_listings_published_words RESET (gin_pending_list_limit)")
    op.execute("DROP FUNCTION offer(listings, date, date)")
    for name in GENERATED:
        op.drop_column("listings", name)
    op.execute(
        "DROP FUNCTION misspellings(text), lowest_price(bigint, jsonb, jsonb), highest_price(bigint, jsonb),"
        " local_time(text), terms(jsonb, date, date), cell_of(float8, float8), on_globe(float8, float8)"
    )
    op.execute("DROP EXTENSION cube")
