"""The simulator's transfers, as a merchant meets them: queued once per reference, verified, told by a webhook."""

from typing import Any
from uuid import uuid4

import httpx
import pytest

from tests.local.merchant import Merchant, eventually, sign


@pytest.fixture
def transfer() -> dict[str, Any]:
    """To an account that takes it."""
    return {
        "account_name": "Hana Alemu",
        "account_number": "1000123456789",
        "amount": "4500.50",
        "currency": "ETB",
        "reference": f"payout-{uuid4()}",
        "bank_code": 946,
    }


@pytest.mark.parametrize(("number", "status"), [("1000123456789", "success"), ("1000123450000", "failed/cancelled")])
def test_a_transfer_is_queued_verified_and_told(
    chapa: httpx.Client, merchant: Merchant, transfer: dict[str, Any], number: str, status: str
) -> None:
    queued = chapa.post("/v1/transfers", json=transfer | {"account_number": number})

    assert queued.json() == {
        "message": "Transfer Queued Successfully",
        "status": "success",
        "data": transfer["reference"],
    }
    found = chapa.get(f"/v1/transfers/verify/{transfer['reference']}").json()["data"]
    assert (found["tx_ref"], found["amount"], found["charge"], found["status"]) == (
        transfer["reference"],
        4500.5,
        67.51,
        status,
    )
    [webhook] = eventually(
        lambda: [each for each in merchant.received if each.json["reference"] == transfer["reference"]]
    )
    assert webhook.headers["x-chapa-signature"] == sign(webhook.raw)
    assert (webhook.json["event"], webhook.json["type"]) == (f"payout.{status}", "Payout")


def test_a_reference_is_taken_once(chapa: httpx.Client, transfer: dict[str, Any]) -> None:
    chapa.post("/v1/transfers", json=transfer)

    again = chapa.post("/v1/transfers", json=transfer)

    assert again.status_code == 400
    assert again.json()["message"] == {"reference": ["The reference has already been taken."]}


@pytest.mark.parametrize(
    "odd", [{"amount": "0"}, {"amount": "1.001"}, {"currency": "USD"}, {"bank_code": 1}, {"account_number": ""}]
)
def test_a_transfer_that_cannot_be_made_is_refused(
    chapa: httpx.Client, transfer: dict[str, Any], odd: dict[str, Any]
) -> None:
    assert chapa.post("/v1/transfers", json=transfer | odd).status_code == 400
    assert chapa.get(f"/v1/transfers/verify/{transfer['reference']}").status_code == 404


def test_only_the_merchant_sends_money_and_sees_banks(chapa: httpx.Client, transfer: dict[str, Any]) -> None:
    stranger = {"Authorization": "Bearer somebody else's"}

    assert chapa.post("/v1/transfers", json=transfer, headers=stranger).status_code == 401
    assert chapa.get("/v1/banks", headers=stranger).status_code == 401
    assert 946 in [bank["id"] for bank in chapa.get("/v1/banks").json()["data"]]


def test_what_had_arrived_comes_back_once_and_is_told(
    chapa: httpx.Client, merchant: Merchant, transfer: dict[str, Any]
) -> None:
    chapa.post("/v1/transfers", json=transfer)
    lever = f"/simulator/transfers/{transfer['reference']}/reverse"

    answers = [chapa.post(lever).status_code for _ in "12"]

    assert answers == [204, 409]
    assert chapa.get(f"/v1/transfers/verify/{transfer['reference']}").json()["data"]["status"] == "reversed"
    told = eventually(
        lambda: [each.json["event"] for each in merchant.received if each.json["reference"] == transfer["reference"]][
            1:
        ]
    )
    assert told == ["payout.reversed"]


def test_a_transfer_that_never_arrived_does_not_come_back(chapa: httpx.Client, transfer: dict[str, Any]) -> None:
    chapa.post("/v1/transfers", json=transfer | {"account_number": "1000123450000"})

    assert chapa.post(f"/simulator/transfers/{transfer['reference']}/reverse").status_code == 409
    assert chapa.post("/simulator/transfers/nobody-sent-it/reverse").status_code == 409
