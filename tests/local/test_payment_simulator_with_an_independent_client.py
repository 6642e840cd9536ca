"""A Chapa library that others wrote works against the simulator as it is: the contract is Chapa's, not ours.

https://github.com/chapimenge3/chapa
"""

from typing import Any

import httpx
import pytest
from chapa import Chapa  # type: ignore[import-untyped]

from tests.local.simulators import SECRET_KEY


@pytest.fixture
def library(chapa: httpx.Client) -> Chapa:
    return Chapa(SECRET_KEY, base_ur=str(chapa.base_url).rstrip("/"))


def test_it_opens_a_checkout_and_sees_it_paid(library: Chapa, chapa: httpx.Client, order: dict[str, Any]) -> None:
    opened = library.initialize(**order)
    pending = library.verify(order["tx_ref"])
    chapa.post(f"/simulator/transactions/{order['tx_ref']}/pay").raise_for_status()
    paid = library.verify(order["tx_ref"])

    assert opened["status"] == "success"
    assert chapa.get(opened["data"]["checkout_url"]).status_code == 200
    assert (pending["data"]["status"], paid["data"]["status"]) == ("pending", "success")
    assert (paid["data"]["amount"], paid["data"]["currency"]) == (4500.5, "ETB")
    assert paid["data"]["customization"]["title"] == "Nexus"


def test_it_hears_why_it_is_refused(library: Chapa, order: dict[str, Any]) -> None:
    library.initialize(**order)

    again = library.initialize(**order)
    stranger = Chapa("not the key", base_ur=library.base_url).verify(order["tx_ref"])

    assert (again["status"], again["message"]) == ("failed", "Transaction reference has been used before")
    assert stranger["status"] == "failed"
