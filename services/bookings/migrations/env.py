"""Alembic's entry point: the kit does the work, with the metadata in which the models have declared their tables."""

from nexus_bookings import main as _models  # noqa: F401 - importing the service declares all of its tables
from nexus_bookings.db import Base
from nexus_kit import migrations

migrations.run(Base.metadata)
