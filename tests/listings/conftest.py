"""The listings service as production builds it, and clients for a host and for strangers."""

from collections.abc import AsyncIterator
from pathlib import Path
from uuid import UUID, uuid4

import httpx
import pytest
from nexus_kit.testing import Servers, Service, running_service, signed_in
from nexus_listings.main import build


@pytest.fixture(scope="session")
def photos_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the service keeps the files of photos."""
    return tmp_path_factory.mktemp("photos")


@pytest.fixture(scope="session")
async def service(servers: Servers, photos_folder: Path) -> AsyncIterator[Service]:
    """One for all tests; `client` cleans it."""
    async with running_service("listings", build, servers, NEXUS_PHOTOS_URL=photos_folder.as_uri()) as running:
        yield running


@pytest.fixture
async def client(service: Service) -> AsyncIterator[httpx.AsyncClient]:
    """A stranger, before a service without listings."""
    await service.clean(keep=["categories"])
    async with service.client() as stranger:
        yield stranger


@pytest.fixture
def host_id() -> UUID:
    """A user who lists places."""
    return uuid4()


@pytest.fixture
async def host(client: httpx.AsyncClient, service: Service, host_id: UUID) -> AsyncIterator[httpx.AsyncClient]:
    """That user, signed in."""
    async with service.client(**signed_in(host_id)) as signed:
        yield signed


@pytest.fixture
def guest_id() -> UUID:
    """A user who looks for places."""
    return uuid4()


@pytest.fixture
async def guest(client: httpx.AsyncClient, service: Service, guest_id: UUID) -> AsyncIterator[httpx.AsyncClient]:
    """That user, signed in."""
    async with service.client(**signed_in(guest_id)) as signed:
        yield signed
