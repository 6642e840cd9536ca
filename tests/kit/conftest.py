"""The kit is tested through the smallest service that uses all of it: `tests/kit/jars.py`."""

from collections.abc import AsyncIterator

import httpx
import pytest
from nexus_kit.disposable import DisposableRedis
from nexus_kit.testing import Servers, Service, running_service

from tests.kit import jars


@pytest.fixture(scope="session")
async def service(servers: Servers) -> AsyncIterator[Service]:
    """The jars service, running."""
    async with running_service("jars", jars.build, servers, tables=jars.Base.metadata) as service:
        yield service


@pytest.fixture
async def client(service: Service) -> AsyncIterator[httpx.AsyncClient]:
    """An anonymous client of an empty service."""
    await service.clean()
    async with service.client() as client:
        yield client


@pytest.fixture
async def redis(redis_url: str) -> AsyncIterator[DisposableRedis]:
    """An empty cache database that no service uses."""
    async with DisposableRedis.connect(f"{redis_url}/15") as redis:
        await redis.flushdb()
        yield redis
