"""Alembic starts here; the kit does the rest. Importing the models is what fills the metadata."""

from nexus_kit.migrations import run
from nexus_listings.categories import models as categories  # noqa: F401
from nexus_listings.db import Base
from nexus_listings.favourites import models as favourites  # noqa: F401
from nexus_listings.listings import models as listings  # noqa: F401
from nexus_listings.nights import models as nights  # noqa: F401
from nexus_listings.photos import models as photos  # noqa: F401
from nexus_listings.saved_searches import models as saved_searches  # noqa: F401
from nexus_listings.search import models as search  # noqa: F401

run(Base.metadata)
