"""Makes each service's role and database and brings it to the newest revision: `python -m nexus_local.migrate DATA`.

A one-shot of the topology. One process for all services, because most of its time goes into importing SQLAlchemy.
"""

import asyncio
import os
import sys
from pathlib import Path

import asyncpg
from alembic import command
from alembic.config import Config

from nexus_local.postgres import SUPERUSER
from nexus_local.state import DataFolder
from nexus_local.suite import REPOSITORY, SERVICES, Suite

EXTENSIONS = {"listings": ("pg_trgm", "unaccent", "btree_gist", "cube", "earthdistance")}
"""What a service's migrations may rely on, and its role may not create."""


async def make_databases(suite: Suite) -> None:
    """A role and a database per service; nobody but its role connects to it. Passwords follow the secrets file."""
    server = await asyncpg.connect(suite.postgres_url())
    roles = {row["rolname"] for row in await server.fetch("SELECT rolname FROM pg_roles")}
    databases = {row["datname"] for row in await server.fetch("SELECT datname FROM pg_database")}
    await server.execute(f"REVOKE ALL ON DATABASE {SUPERUSER} FROM PUBLIC")
    for service in SERVICES:
        name, password = f"nexus_{service}", suite.secrets.database_password(service)
        if name not in roles:
            await server.execute(f"CREATE ROLE {name}")
        await server.execute(f"ALTER ROLE {name} LOGIN PASSWORD '{password}'")
        if name not in databases:
            await server.execute(f"CREATE DATABASE {name} OWNER {name}")
        await server.execute(f"REVOKE ALL ON DATABASE {name} FROM PUBLIC")
    await server.close()
    for service, extensions in EXTENSIONS.items():
        database = await asyncpg.connect(suite.postgres_url(), database=f"nexus_{service}")
        for extension in extensions:
            await database.execute(f"CREATE EXTENSION IF NOT EXISTS {extension}")
        await database.close()


def upgrade(suite: Suite, service: str) -> None:
    """`alembic upgrade head` for one service, as its own role."""
    os.environ["NEXUS_DATABASE_URL"] = suite.database_url(service)
    command.upgrade(Config(REPOSITORY / "services" / service / "alembic.ini"), "head")


def main() -> None:
    """All services of the suite in this data folder."""
    suite = Suite.in_folder(DataFolder(Path(sys.argv[1])))
    asyncio.run(make_databases(suite))
    for service in SERVICES:
        upgrade(suite, service)


if __name__ == "__main__":
    main()
