"""Alembic's entry point: the kit does the work, with the metadata in which the models have declared their tables."""

from nexus_bookings.bookings import models as _bookings  # noqa: F401 - importing models declares their tables
from nexus_bookings.calendars import models as _calendars  # noqa: F401
from nexus_bookings.changes import models as _changes  # noqa: F401
from nexus_bookings.db import Base
from nexus_bookings.ledger import models as _ledger  # noqa: F401
from nexus_bookings.listings import models as _listings  # noqa: F401
from nexus_bookings.nights import models as _nights  # noqa: F401
from nexus_bookings.payments import models as _payments  # noqa: F401
from nexus_bookings.payouts import models as _payouts  # noqa: F401
from nexus_bookings.quotes import models as _quotes  # noqa: F401
from nexus_bookings.refunds import models as _refunds  # noqa: F401
from nexus_bookings.timeline import models as _timeline  # noqa: F401
from nexus_bookings.waiting_list import models as _waiting_list  # noqa: F401
from nexus_kit import migrations

migrations.run(Base.metadata)
