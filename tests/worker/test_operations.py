"""What operators rely on: the schema, health, metrics."""

from typing import Any

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from dramatiq.common import compute_backoff
from nexus_kit.testing import Service
from nexus_worker.db import Base
from nexus_worker.settings import Settings
from sqlalchemy import Connection

from tests.worker.world import World, eventually


async def test_the_migrations_make_exactly_what_the_models_declare(service: Service) -> None:
    def differences(connection: Connection) -> list[Any]:
        options = {"compare_type": True, "compare_server_default": True}
        return list(compare_metadata(MigrationContext.configure(connection, opts=options), Base.metadata))

    async with service.database.engine.connect() as connection:
        found = await connection.run_sync(differences)

    assert [each for each in found if "alembic_version" not in repr(each)] == []


async def test_it_is_an_ordinary_service_with_health_and_metrics(world: World, service: Service) -> None:
    async with service.client() as client:
        ready = await client.get("/readyz")
        assert ready.json()["checks"] == {"database": "ok", "redis": "ok"}

        async def measured() -> None:
            metrics = (await client.get("/metrics")).text
            for name in ("auth", "listings", "bookings"):
                assert f'nexus_stream_lag{{stream="nexus:{{{name}}}:events"}} 0.0' in metrics
            assert 'nexus_queue_messages{queue="mail",state="waiting"} 0.0' in metrics
            assert 'nexus_dead_letters{kind="reaction"} 0.0' in metrics

        await eventually(measured)


@pytest.mark.parametrize("luck", ["the shortest pauses", "the longest"])
def test_a_reaction_is_tried_for_more_than_an_hour_and_less_than_four(luck: str) -> None:
    retries = Settings.model_fields["reaction_retries"].default
    pauses = [compute_backoff(number, factor=1_000, max_backoff=300_000, jitter=False)[1] for number in range(retries)]

    # Jitter: from the pause to twice as much; from half of the maximum to the maximum once that is reached.
    shortest = sum(pause if pause < 300_000 else 150_000 for pause in pauses) / 3_600_000
    longest = sum(min(2 * pause, 300_000) for pause in pauses) / 3_600_000
    assert 1 < (shortest if luck == "the shortest pauses" else longest) < 4
