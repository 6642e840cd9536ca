"""What a client is told when the database refuses a row, by the constraint's name."""

from nexus_kit.errors import Problem

from nexus_listings.categories import service as categories
from nexus_listings.listings import service as listings
from nexus_listings.photos import service as photos

CONSTRAINTS: dict[str, type[Problem]] = {**categories.CONSTRAINTS, **listings.CONSTRAINTS, **photos.CONSTRAINTS}
