"""The metadata of auth: the `models.py` of each noun declare its tables, and the migrations are compared with it."""

from nexus_kit.db import service_metadata
from nexus_kit.outbox import OUTBOX
from sqlalchemy.orm import DeclarativeBase


class Base(DeclarativeBase):
    """The outbox is the only kit table here: auth consumes no events, so it has no inbox."""

    metadata = service_metadata(OUTBOX)
