"""Alembic's entry point: the kit does the work, with the metadata in which the models have declared their tables."""

from nexus_auth.db import Base
from nexus_auth.sessions import models as _sessions  # noqa: F401 - declares its table, and imports the accounts'
from nexus_auth.tokens import models as _tokens  # noqa: F401
from nexus_kit import migrations

migrations.run(Base.metadata)
