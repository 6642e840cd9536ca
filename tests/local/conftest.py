"""One payment simulator and its merchant for the tests of a file; each test begins with an honest provider."""

from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from tests.local.merchant import Merchant, client, new_order
from tests.local.simulators import PaymentSimulator, running_payment_simulator


@pytest.fixture(scope="module")
def merchant() -> Iterator[Merchant]:
    merchant = Merchant()
    yield merchant
    merchant.close()


@pytest.fixture(scope="module")
def simulator(merchant: Merchant, tmp_path_factory: pytest.TempPathFactory) -> Iterator[PaymentSimulator]:
    folder = tmp_path_factory.mktemp("payments")
    with running_payment_simulator(folder, f"{merchant.url}/webhook") as running:
        yield running


@pytest.fixture
def chapa(simulator: PaymentSimulator) -> Iterator[httpx.Client]:
    """The merchant's client of an honest provider."""
    with client(simulator.url) as calls:
        calls.delete("/simulator/behaviour")
        yield calls


@pytest.fixture
def order(merchant: Merchant) -> dict[str, Any]:
    return new_order(merchant)
