"""Alembic starts here; the kit does the rest. Importing the models is what fills the metadata."""

from nexus_kit.migrations import run
from nexus_listings.categories import models as categories  # noqa: F401
from nexus_listings.db import Base
from nexus_listings.listings import models as listings  # noqa: F401
from nexus_listings.nights import models as nights  # noqa: F401

run(Base.metadata)
