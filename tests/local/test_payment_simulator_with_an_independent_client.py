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


def test_it_sees_where_money_can_be_sent(library: Chapa) -> None:
    banks = library.get_banks()["data"]

    assert {"id": 946, "name": "Commercial Bank of Ethiopia (CBE)"}.items() <= banks[-2].items()
    assert all(bank["currency"] == "ETB" and bank["acct_length"] for bank in banks)


def test_it_opens_a_checkout_that_pays_a_subaccount_too(library: Chapa, order: dict[str, Any]) -> None:
    account = {"business_name": "Hana's", "account_name": "Hana Alemu", "account_number": "1000123456789"}
    split = {"split_type": "percentage", "split_value": "0.03"}

    made = library.create_subaccount(bank_code="946", **account, **split)
    refused = library.create_subaccount(bank_code="1", **account, **split)
    opened = library.initialize_split_payment(
        **{name: value for name, value in order.items() if name != "customization"},
        subaccount_id=made["data"]["subaccounts[id]"],
    )

    assert (made["status"], refused["status"]) == ("success", "failed")
    assert opened["data"]["checkout_url"]
    assert library.verify(order["tx_ref"])["data"]["status"] == "pending"
