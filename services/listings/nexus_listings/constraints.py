"""What a client is told when the database refuses a row. `main.py` hands the map to the kit."""

from nexus_kit.errors import Problem

from nexus_listings.listings.service import NightsInverted, UnknownCategory

CONSTRAINTS: dict[str, type[Problem]] = {
    "fk_listings_category_categories": UnknownCategory,
    "ck_listings_nights": NightsInverted,
}
