"""The auth service as production builds it, a client of it, and somebody who has an account."""

from collections.abc import AsyncIterator

import httpx
import pytest
from nexus_auth.main import build
from nexus_kit.testing import SIGNING_KEY, Servers, Service, running_service

from tests.auth.given import Account, registered


@pytest.fixture(scope="session")
async def service(servers: Servers) -> AsyncIterator[Service]:
    """One for all tests but those of the rate limits, which it would run into."""
    key = SIGNING_KEY.private_pem
    async with running_service("auth", build, servers, NEXUS_SIGNING_KEY=key, NEXUS_RATE_LIMITS="off") as running:
        yield running


@pytest.fixture
async def client(service: Service) -> AsyncIterator[httpx.AsyncClient]:
    """A stranger, before a service without accounts."""
    await service.clean()
    async with service.client() as stranger:
        yield stranger


@pytest.fixture
async def makeda(client: httpx.AsyncClient, service: Service) -> Account:
    """Somebody who has registered and proved her address."""
    account = await registered(service, client, "makeda@nexus.example")
    await account.verify()
    return account


@pytest.fixture
async def dawit(makeda: Account, client: httpx.AsyncClient, service: Service) -> Account:
    """Somebody else."""
    account = await registered(service, client, "dawit@nexus.example")
    await account.verify()
    return account
