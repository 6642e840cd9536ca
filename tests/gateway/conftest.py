"""The gateway under test, in front of three services that tell what reached them."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack

import httpx
import pytest

from tests.gateway.nginx import Gateway, running_gateway
from tests.gateway.upstream import Upstream, serving


@pytest.fixture(scope="session")
async def services() -> AsyncIterator[dict[str, Upstream]]:
    """auth, listings and bookings."""
    async with AsyncExitStack() as stack:
        yield {
            name: await stack.enter_async_context(serving(Upstream(name))) for name in ("auth", "listings", "bookings")
        }


@pytest.fixture(scope="session")
def upstreams(services: dict[str, Upstream]) -> dict[str, str]:
    """The gateway's variables that name the services."""
    return {f"NEXUS_{name.upper()}_UPSTREAM": service.address for name, service in services.items()}


@pytest.fixture(scope="session")
async def gateway(upstreams: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Gateway]:
    """One gateway for all tests that need no particular variables. It limits nothing."""
    async with running_gateway(tmp_path_factory.mktemp("gateway"), **upstreams) as gateway:
        yield gateway


@pytest.fixture
async def client(gateway: Gateway) -> AsyncIterator[httpx.AsyncClient]:
    """A client of it."""
    async with gateway.client() as client:
        yield client


@pytest.fixture
def listings(services: dict[str, Upstream]) -> Upstream:
    """The service whose pages are public."""
    return services["listings"]
