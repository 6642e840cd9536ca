"""Alembic's entry point: `nexus_kit.migrations` does the work, with the metadata that all models have registered in."""

from nexus_auth.db import Base
from nexus_auth.sessions import models as _sessions
from nexus_auth.tokens import models as _tokens
from nexus_kit import migrations

migrations.run(Base.metadata)
