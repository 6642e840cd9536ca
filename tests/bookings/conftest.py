"""The bookings service as production builds it, with the payment simulator and two neighbours as real servers."""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from uuid import uuid4

import httpx
import pytest
from nexus_bookings.main import build
from nexus_contracts.listings import ListingSnapshot
from nexus_kit.testing import Servers, Service, running_service

from tests.bookings.books import audit
from tests.bookings.changing import no_night_is_lost
from tests.bookings.given import House, Json
from tests.bookings.neighbours import Neighbours, serving
from tests.local.simulators import SECRET_KEY, WEBHOOK_SECRET, PaymentSimulator, running_payment_simulator
from tests.servers import free_port


@pytest.fixture(scope="session")
async def neighbours() -> AsyncIterator[Neighbours]:
    """auth and listings, as far as bookings asks them."""
    neighbours = Neighbours()
    async with serving(neighbours.app, free_port()) as neighbours.url:
        yield neighbours


@pytest.fixture(scope="session")
def webhook_port() -> int:
    """Where Chapa reaches the service."""
    return free_port()


@pytest.fixture(scope="session")
def chapa(tmp_path_factory: pytest.TempPathFactory, webhook_port: int) -> Iterator[PaymentSimulator]:
    """The payment provider."""
    data: Path = tmp_path_factory.mktemp("payments")
    url = f"http://127.0.0.1:{webhook_port}/api/v1/payments/chapa/webhook"
    with running_payment_simulator(data, url) as simulator:
        yield simulator


@pytest.fixture(scope="session")
async def service(
    servers: Servers, neighbours: Neighbours, chapa: PaymentSimulator, webhook_port: int
) -> AsyncIterator[Service]:
    """One for all tests; it also listens on a socket, for Chapa's webhooks."""
    async with (
        running_service(
            "bookings",
            build,
            servers,
            NEXUS_AUTH_URL=neighbours.url,
            NEXUS_LISTINGS_URL=neighbours.url,
            NEXUS_CHAPA_URL=chapa.url,
            NEXUS_CHAPA_SECRET_KEY=SECRET_KEY,
            NEXUS_CHAPA_WEBHOOK_SECRET=WEBHOOK_SECRET,
            NEXUS_CHAPA_MODE="test",
            NEXUS_CHAPA_TIMEOUT_SECONDS="1",
            NEXUS_CALENDAR_PRIVATE_NETWORKS="127.0.0.1/32",
        ) as running,
        serving(running.app, webhook_port),
    ):
        yield running


@pytest.fixture
async def house(service: Service, neighbours: Neighbours, chapa: PaymentSimulator) -> AsyncIterator[House]:
    """An empty database, neighbours in good health, an honest provider."""
    await service.clean()
    neighbours.recover()
    async with service.client() as client, httpx.AsyncClient(base_url=chapa.url) as provider:
        await provider.delete("/simulator/behaviour")
        yield House(service, client, neighbours, provider)


@pytest.fixture
async def listing(house: House) -> ListingSnapshot:
    """With one unit."""
    return await house.listing()


@pytest.fixture
async def booking(house: House, listing: ListingSnapshot) -> Json:
    """Held, not paid."""
    return await house.book(listing, uuid4())


@pytest.fixture
async def balanced_books(house: House) -> AsyncIterator[None]:
    """At the end of the test, the whole ledger adds up, and agrees with the payments, refunds and payouts."""
    yield
    await audit(house)


@pytest.fixture
async def exact_nights(house: House) -> AsyncIterator[None]:
    """At the end of the test, no night is lost, and none is held for nobody."""
    yield
    await no_night_is_lost(house)
