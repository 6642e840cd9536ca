"""The payment simulator as a merchant meets it: a real process, Chapa's API, the hosted page, and real webhooks.

`nexus_local/payments` is the subject; `test_payment_misbehaviour.py` holds what can go wrong.
"""

import re
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest

from tests.local.merchant import Merchant, checkout_url, eventually, paid, sign, verified
from tests.local.simulators import WEBHOOK_SECRET, PaymentSimulator


def test_a_guest_pays_on_the_hosted_page_and_the_merchant_is_told(
    chapa: httpx.Client, merchant: Merchant, order: dict[str, Any]
) -> None:
    page = httpx.get(checkout_url(chapa, order))
    assert "4,500.50" in page.text
    assert "Lakeside cabin 2 nights" in page.text

    action = re.search(r'<form method="post" action="([^"]+/pay)">', page.text)
    assert action
    pressed = httpx.post(str(page.url.join(action[1])))

    assert (pressed.status_code, pressed.headers["Location"]) == (303, order["return_url"])
    [webhook] = eventually(lambda: merchant.about(order["tx_ref"]))
    charge = verified(chapa, order)
    assert webhook.json == {
        "event": "charge.success",
        "first_name": "Abebe",
        "last_name": "Bikila",
        "email": "guest@nexus.example",
        "mobile": "0912345678",
        "currency": "ETB",
        "amount": "4500.50",
        "charge": "157.52",
        "status": "success",
        "mode": "test",
        "reference": charge["reference"],
        "created_at": charge["created_at"],
        "updated_at": charge["updated_at"],
        "type": "API",
        "tx_ref": order["tx_ref"],
        "payment_method": "telebirr",
        "customization": {"title": "Nexus", "description": "Lakeside cabin 2 nights", "logo": None},
        "meta": None,
    }
    assert webhook.headers["x-chapa-signature"] == sign(webhook.raw)
    assert webhook.headers["chapa-signature"] == sign(WEBHOOK_SECRET.encode())


def test_the_callback_url_is_called_with_the_references_and_the_status(
    chapa: httpx.Client, merchant: Merchant, order: dict[str, Any]
) -> None:
    charge = paid(chapa, order)

    facts = {"trx_ref": order["tx_ref"], "ref_id": charge["reference"], "status": "success"}

    eventually(lambda: any(r.path == "/callback" and r.query == facts for r in merchant.received))


def test_verify_tells_amounts_as_numbers_and_the_state_of_the_payment(
    chapa: httpx.Client, order: dict[str, Any]
) -> None:
    checkout_url(chapa, order)
    before = verified(chapa, order)

    after = paid(chapa, order | {"tx_ref": f"{order['tx_ref']}-2", "amount": "400"})

    assert (before["status"], before["amount"], before["charge"], before["mode"]) == ("pending", 4500.5, 157.52, "test")
    assert (after["status"], after["amount"], after["charge"], after["method"]) == ("success", 400, 14, "telebirr")


@pytest.mark.parametrize(("outcome", "status"), [("fail", "failed"), ("abandon", "failed/cancelled")])
def test_a_payment_that_does_not_happen_is_told_too(
    chapa: httpx.Client, merchant: Merchant, order: dict[str, Any], outcome: str, status: str
) -> None:
    page = checkout_url(chapa, order)

    httpx.post(f"{page}/{outcome}")

    [webhook] = eventually(lambda: merchant.about(order["tx_ref"]))
    assert (webhook.json["event"], webhook.json["status"]) == ("charge.failed/cancelled", "failed/cancelled")
    assert verified(chapa, order)["status"] == status


def test_a_settled_payment_never_changes_its_mind(
    chapa: httpx.Client, merchant: Merchant, order: dict[str, Any]
) -> None:
    page = checkout_url(chapa, order)
    httpx.post(f"{page}/abandon")

    pressed_again = httpx.post(f"{page}/pay")

    assert pressed_again.headers["Location"] == order["return_url"]
    assert chapa.post(f"/simulator/transactions/{order['tx_ref']}/pay").status_code == 409
    assert verified(chapa, order)["status"] == "failed/cancelled"
    assert "This payment was cancelled." in httpx.get(page).text
    assert len(eventually(lambda: merchant.about(order["tx_ref"]))) == 1


def test_a_payment_that_failed_may_be_paid_on_the_same_page(chapa: httpx.Client, order: dict[str, Any]) -> None:
    page = checkout_url(chapa, order)
    httpx.post(f"{page}/fail")
    assert "This payment has failed." in httpx.get(page).text

    httpx.post(f"{page}/pay")

    assert verified(chapa, order)["status"] == "success"


def test_a_reference_is_accepted_once(chapa: httpx.Client, order: dict[str, Any]) -> None:
    checkout_url(chapa, order)

    again = chapa.post("/v1/transaction/initialize", json=order)

    assert again.status_code == 400
    assert again.json() == {"message": "Transaction reference has been used before", "status": "failed", "data": None}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"amount": None}, {"amount": ["validation.required"]}),
        ({"amount": "-1"}, {"amount": ["validation.numeric"]}),
        ({"amount": "1.005"}, {"amount": ["validation.numeric"]}),
        ({"amount": "NaN"}, {"amount": ["validation.numeric"]}),
        ({"tx_ref": ""}, {"tx_ref": ["validation.required"]}),
        ({"email": "nobody"}, {"email": ["validation.email"]}),
        ({"return_url": "javascript:alert(1)"}, {"return_url": ["validation.url"]}),
        ({"return_url": "http://a;script-src*/"}, {"return_url": ["validation.url"]}),
        ({"currency": "EUR"}, "Invalid currency, EUR is not supported"),
        (
            {"customization": {"title": "A title that is too long"}},
            {"customization.title": ["The customization.title must not exceed 16 characters."]},
        ),
    ],
)
def test_a_bad_order_is_refused_in_chapas_words(
    chapa: httpx.Client, order: dict[str, Any], change: dict[str, Any], message: Any
) -> None:
    answer = chapa.post("/v1/transaction/initialize", json=order | change)

    assert answer.status_code == 400
    assert answer.json() == {"message": message, "status": "failed", "data": None}


def test_a_description_with_other_characters_is_refused(chapa: httpx.Client, order: dict[str, Any]) -> None:
    order["customization"]["description"] = "Cabin (2 nights)"

    answer = chapa.post("/v1/transaction/initialize", json=order)

    assert list(answer.json()["message"]) == ["customization.description"]


@pytest.mark.parametrize(
    ("headers", "message"),
    [({}, "Authorization required"), ({"Authorization": "Bearer x"}, "Invalid API Key or User doesn't exist")],
)
def test_only_the_merchant_may_call(simulator: PaymentSimulator, headers: dict[str, str], message: str) -> None:
    answer = httpx.get(f"{simulator.url}/v1/transaction/verify/any", headers=headers)

    assert answer.status_code == 401
    assert answer.json() == {"message": message, "status": "failed", "data": None}


def test_an_unknown_reference_is_not_found(chapa: httpx.Client) -> None:
    answer = chapa.get("/v1/transaction/verify/never-seen")

    assert answer.status_code == 404
    assert answer.json()["message"] == "Invalid transaction or Transaction not found"
    assert chapa.post("/v1/refund/never-seen").status_code == 404


def test_refunds_add_up_to_the_amount_and_no_further(
    chapa: httpx.Client, merchant: Merchant, order: dict[str, Any]
) -> None:
    charge = paid(chapa, order)
    refund_url = f"/v1/refund/{charge['reference']}"

    part = chapa.post(refund_url, data={"amount": "500.00", "reference": "r-1", "meta[booking]": "7"}).json()["data"]
    too_much = chapa.post(refund_url, data={"amount": "4000.51"})
    rest = chapa.post(f"/v1/refund/{order['tx_ref']}", data={"reason": "cancelled"}).json()["data"]

    assert (part["amount"], part["status"], part["meta"]) == (500, "initiated", {"booking": "7"})
    assert too_much.json()["message"] == "Refund amount cannot exceed the full transaction amount or be less than 0"
    assert rest["amount"] == 4000.5
    assert chapa.get(f"/v1/refund/{part['ref_id']}/verify").json()["data"]["status"] == "refunded"
    assert verified(chapa, order)["status"] == "refunded"
    eventually(lambda: len(merchant.about(order["tx_ref"])) == 3)
    told = [(r.json["event"], r.json["amount"]) for r in merchant.about(order["tx_ref"])]
    assert sorted(told[1:]) == [("charge.refunded", "4000.50"), ("charge.refunded", "500.00")]


def test_a_refund_reference_is_accepted_once(chapa: httpx.Client, order: dict[str, Any]) -> None:
    charge = paid(chapa, order)
    refund = {"amount": "10.00", "reference": f"refund-{order['tx_ref']}"}
    chapa.post(f"/v1/refund/{charge['reference']}", data=refund).raise_for_status()

    again = chapa.post(f"/v1/refund/{charge['reference']}", data=refund)

    assert again.status_code == 400
    assert again.json()["message"] == {"reference": ["The reference has already been taken."]}


def test_an_unpaid_payment_cannot_be_refunded(chapa: httpx.Client, order: dict[str, Any]) -> None:
    checkout_url(chapa, order)

    assert chapa.post(f"/v1/refund/{order['tx_ref']}").status_code == 400


def test_the_hosted_page_escapes_what_the_merchant_sent_and_runs_nothing(
    chapa: httpx.Client, order: dict[str, Any]
) -> None:
    page = httpx.get(checkout_url(chapa, order | {"first_name": "<script>alert(1)</script>"}))

    policy = page.headers["Content-Security-Policy"]
    assert "<script>" not in page.text
    assert "default-src 'none'" in policy
    assert policy.endswith("form-action 'self' https://localhost:8443")


def test_the_overview_lists_payments(chapa: httpx.Client, order: dict[str, Any]) -> None:
    url = checkout_url(chapa, order)

    assert urlsplit(url).path in chapa.get("/").text
    assert order["tx_ref"] in [each["tx_ref"] for each in chapa.get("/simulator/transactions").json()]
