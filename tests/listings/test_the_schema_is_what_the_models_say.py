"""The migrations and the models describe one database."""

from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from nexus_kit.testing import Service
from nexus_listings.db import Base
from sqlalchemy import Connection, text


async def test_autogenerate_finds_nothing_to_do(service: Service) -> None:
    def compare(connection: Connection) -> list[object]:
        options = {"compare_type": True, "compare_server_default": True}
        return list(compare_metadata(MigrationContext.configure(connection, opts=options), Base.metadata))

    async with service.database.engine.connect() as connection:
        assert await connection.run_sync(compare) == []


async def test_the_database_insists_on_the_same_checks(service: Service) -> None:
    async with service.database.engine.connect() as connection:
        found = await connection.scalars(text("SELECT conname FROM pg_constraint WHERE contype = 'c'"))
        names = set(found)

    declared = {
        str(constraint.name)
        for table in Base.metadata.tables.values()
        for constraint in table.constraints
        if constraint.__visit_name__.endswith("check_constraint")
    }
    assert declared <= names
