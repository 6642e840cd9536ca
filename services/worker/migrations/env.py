"""Alembic runs this file: it migrates the database at NEXUS_DATABASE_URL."""

from nexus_kit import migrations
from nexus_worker.db import Base

migrations.run(Base.metadata)
