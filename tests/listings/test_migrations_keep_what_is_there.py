"""A database that served the first release goes up to this one and down again with its listings."""

import asyncio
import os
import sys
from pathlib import Path
from typing import Any

import nexus_listings
import pytest
from nexus_kit.testing import Servers, create_database
from sqlalchemy import text
from sqlalchemy.ext.asyncio import create_async_engine

SERVICE = Path(nexus_listings.__file__).parents[1]
PUBLISHED = """
INSERT INTO listings (host_id, version, status, title, description, category, city, country, latitude, longitude,
                      timezone, currency, price_amount, capacity, cancellation_policy, published_at)
VALUES (uuidv7(), 2, 'published', 'Old house', 'It was there before.', 'house', 'Harar', 'ET', 9.31, 42.12,
        'Africa/Addis_Ababa', 'ETB', 100000, 2, 'moderate', now())
"""
CUSTOM = """
UPDATE listings SET cancellation_policy = 'custom', included_guests = 1, external_id = 'house-1',
                    cancellation_tiers = '[{"hours_before_check_in": 24, "refund_percent": 50}]'
"""


class Database:
    """One that each test migrates as it needs."""

    def __init__(self, url: str) -> None:
        self._url = url

    async def alembic(self, *command: str) -> None:
        """Run it as the operator does."""
        job = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "alembic", "-c", str(SERVICE / "alembic.ini"), *command),
            env={**os.environ, "NEXUS_DATABASE_URL": self._url},
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        output, _ = await job.communicate()
        assert job.returncode == 0, output.decode()

    async def run(self, statement: str) -> list[dict[str, Any]]:
        """The rows, if it has any."""
        engine = create_async_engine(self._url)
        async with engine.begin() as connection:
            result = await connection.execute(text(statement))
            found = [dict(row) for row in result.mappings()] if result.returns_rows else []
        await engine.dispose()
        return found


@pytest.fixture(scope="module")
async def database(servers: Servers) -> Database:
    """At the first release, with one published listing."""
    database = Database(await create_database(servers.postgres_admin_url, "nexus_listings_before"))
    await database.alembic("upgrade", "0001")
    await database.run(PUBLISHED)
    return database


async def test_up_down_and_up_again(database: Database) -> None:
    before = await database.run("SELECT * FROM listings")

    await database.alembic("upgrade", "head")
    upgraded = (await database.run("SELECT * FROM listings"))[0]
    categories = await database.run("SELECT DISTINCT version FROM categories")
    await database.run(CUSTOM)
    await database.alembic("downgrade", "0001")
    after = await database.run("SELECT * FROM listings")
    await database.alembic("upgrade", "head")

    assert {name: upgraded[name] for name in before[0] if name != "words"} == _without_words(before[0])
    assert (upgraded["rates"], upgraded["length_discounts"], upgraded["house_rules"]) == ({"rules": []}, [], [])
    assert (upgraded["booking_window_days"], upgraded["included_guests"]) == (540, None)
    assert categories == [{"version": 1}]
    assert [_without_words(row) for row in after] == [
        _without_words(row) | {"cancellation_policy": "strict"} for row in before
    ]


def _without_words(row: dict[str, Any]) -> dict[str, Any]:
    """The search may index anew."""
    return {name: value for name, value in row.items() if name != "words"}
