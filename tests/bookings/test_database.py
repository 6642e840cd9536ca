"""The database: made by the migrations exactly as the models say, and refusing what must never be."""

from typing import Any
from uuid import uuid4

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from nexus_bookings.constraints import CONSTRAINTS
from nexus_bookings.db import Base
from nexus_kit.testing import Service
from sqlalchemy import CheckConstraint, Connection, text
from sqlalchemy.exc import IntegrityError

from tests.bookings.given import House


async def test_the_migrations_make_exactly_what_the_models_declare(service: Service) -> None:
    def differences(connection: Connection) -> list[Any]:
        options = {"compare_type": True, "compare_server_default": True}
        return list(compare_metadata(MigrationContext.configure(connection, opts=options), Base.metadata))

    async with service.database.engine.connect() as connection:
        found = await connection.run_sync(differences)
        checks = set(await connection.scalars(text("SELECT conname FROM pg_constraint WHERE conname LIKE 'ck%'")))
        names = set(await connection.scalars(text("SELECT conname FROM pg_constraint")))

    assert [each for each in found if "alembic_version" not in repr(each)] == []
    tables = Base.metadata.tables.values()
    assert checks == {each.name for table in tables for each in table.constraints if isinstance(each, CheckConstraint)}
    assert CONSTRAINTS.keys() <= names


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE bookings SET check_out = check_in",
        "UPDATE bookings SET guest_id = host_id",
        "UPDATE bookings SET total_amount = -1",
        "UPDATE bookings SET status = 'lost'",
        "UPDATE bookings SET expires_at = NULL",
        "UPDATE bookings SET status = 'confirmed'",
        "UPDATE bookings SET status = 'cancelled', expires_at = NULL",
        "UPDATE bookings SET refund_amount = 1",
        "UPDATE nights SET unit = 0",
        "UPDATE nights SET booking_id = uuidv7()",
        "UPDATE nights SET booking_id = NULL",
        "UPDATE nights SET closed_by = 'host'",
        "UPDATE nights SET closed_by = 'nobody', booking_id = NULL",
        "UPDATE bookings SET price = NULL",
        "UPDATE nights SET night = (SELECT min(night) FROM nights)",
        "INSERT INTO nights SELECT * FROM nights",
        "DELETE FROM bookings",
        "DELETE FROM quotes",
    ],
)
async def test_the_database_itself_refuses_an_impossible_booking(house: House, statement: str) -> None:
    await house.book(await house.listing(), uuid4())

    with pytest.raises((IntegrityError, *CONSTRAINTS.values())):
        await house.execute(statement)
