"""The payment simulator as a merchant meets it: a real process, Chapa's API, the hosted page, and a real webhook receiver.

`nexus_local/payments` is the subject.
"""

import hashlib
import hmac
import json
import re
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import parse_qs, urlsplit
from uuid import uuid4

import httpx
import pytest

from tests.local.simulators import SECRET_KEY, WEBHOOK_SECRET, PaymentSimulator, running_payment_simulator
from tests.servers import free_port

T = TypeVar("T")
PATIENCE_SECONDS = 10


class Request:
    """One request that the merchant received."""

    def __init__(self, handler: BaseHTTPRequestHandler) -> None:
        self.method, self.path = handler.command, urlsplit(handler.path).path
        self.query = {name: values[0] for name, values in parse_qs(urlsplit(handler.path).query).items()}
        self.headers = handler.headers
        self.raw = handler.rfile.read(int(handler.headers.get("Content-Length", 0)))

    @property
    def json(self) -> dict[str, Any]:
        body: dict[str, Any] = json.loads(self.raw)
        return body


class Merchant:
    """A server that receives webhooks and callbacks, and answers with `statuses`, then with 200."""

    def __init__(self) -> None:
        self.received: list[Request] = []
        self.statuses: list[int] = []
        merchant = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                merchant.received.append(Request(self))
                self.send_response(merchant.statuses.pop(0) if merchant.statuses else 200)
                self.end_headers()

            do_GET = do_POST

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002 (its parent's signature)
                """Quiet."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def about(self, tx_ref: str) -> list[Request]:
        """The webhooks about one transaction."""
        return [request for request in self.received if request.method == "POST" and request.json["tx_ref"] == tx_ref]

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()


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
    headers = {"Authorization": f"Bearer {SECRET_KEY}"}
    with httpx.Client(base_url=simulator.url, headers=headers, timeout=5) as client:
        client.delete("/simulator/behaviour")
        yield client


@pytest.fixture
def order(merchant: Merchant) -> dict[str, Any]:
    """What the merchant sends to start a payment."""
    return {
        "amount": "4500.50",
        "currency": "ETB",
        "email": "guest@nexus.example",
        "first_name": "Abebe",
        "last_name": "Bikila",
        "phone_number": "0912345678",
        "tx_ref": f"nexus-{uuid4()}",
        "callback_url": f"{merchant.url}/callback",
        "return_url": "https://localhost:8443/paid?booking=1",
        "customization": {"title": "Nexus", "description": "Lakeside cabin 2 nights"},
    }


def checkout_url(chapa: httpx.Client, order: dict[str, Any]) -> str:
    answer = chapa.post("/v1/transaction/initialize", json=order)
    assert answer.status_code == 200, answer.text
    assert (answer.json()["message"], answer.json()["status"]) == ("Hosted Link", "success")
    url: str = answer.json()["data"]["checkout_url"]
    return url


def paid(chapa: httpx.Client, order: dict[str, Any]) -> dict[str, Any]:
    """A payment that succeeded, as `verify` shows it."""
    checkout_url(chapa, order)
    chapa.post(f"/simulator/transactions/{order['tx_ref']}/pay").raise_for_status()
    return verified(chapa, order)


def verified(chapa: httpx.Client, order: dict[str, Any]) -> dict[str, Any]:
    data: dict[str, Any] = chapa.get(f"/v1/transaction/verify/{order['tx_ref']}").json()["data"]
    return data


def misbehave(chapa: httpx.Client, **behaviour: Any) -> None:
    chapa.post("/simulator/behaviour", json=behaviour).raise_for_status()


def eventually(look: Callable[[], T]) -> T:
    """The first truthy answer."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not (found := look()):
        assert time.monotonic() < deadline, "it did not happen"
        time.sleep(0.02)
    return found


def sign(content: bytes) -> str:
    return hmac.new(WEBHOOK_SECRET.encode(), content, hashlib.sha256).hexdigest()


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
    httpx.post(f"{page}/fail")

    pressed_again = httpx.post(f"{page}/pay")

    assert pressed_again.headers["Location"] == order["return_url"]
    assert chapa.post(f"/simulator/transactions/{order['tx_ref']}/pay").status_code == 409
    assert verified(chapa, order)["status"] == "failed"
    assert "This payment has failed." in httpx.get(page).text
    assert len(eventually(lambda: merchant.about(order["tx_ref"]))) == 1


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


def test_a_webhook_is_repeated_until_it_is_accepted(
    chapa: httpx.Client, merchant: Merchant, order: dict[str, Any]
) -> None:
    del order["callback_url"]
    merchant.statuses = [500, 503]

    paid(chapa, order)

    eventually(lambda: len(merchant.about(order["tx_ref"])) == 3)
    eventually(lambda: chapa.get("/simulator/deliveries").json()[0]["due_at"] is None)
    assert len({request.raw for request in merchant.about(order["tx_ref"])}) == 1


def test_a_webhook_is_given_up_after_so_many_tries(tmp_path: Path, order: dict[str, Any]) -> None:
    nobody = f"http://127.0.0.1:{free_port()}/webhook"
    with running_payment_simulator(tmp_path, nobody, retry_seconds=0.05, attempts=3) as running:
        with httpx.Client(base_url=running.url, headers={"Authorization": f"Bearer {SECRET_KEY}"}) as chapa:
            paid(chapa, order)

            eventually(lambda: all(owed["due_at"] is None for owed in chapa.get("/simulator/deliveries").json()))
            tries = {owed["method"]: owed["attempts"] for owed in chapa.get("/simulator/deliveries").json()}

    assert tries == {"POST": 3, "GET": 1}


def test_a_killed_simulator_resumes_with_every_payment_and_webhook(
    tmp_path: Path, merchant: Merchant, order: dict[str, Any]
) -> None:
    headers = {"Authorization": f"Bearer {SECRET_KEY}"}
    with running_payment_simulator(tmp_path, f"{merchant.url}/webhook") as first:
        with httpx.Client(base_url=first.url, headers=headers) as chapa:
            misbehave(chapa, webhooks="off")
            charge = paid(chapa, order)
        first.process.kill()
        first.process.wait()
    assert merchant.about(order["tx_ref"]) == []

    with (
        running_payment_simulator(tmp_path, f"{merchant.url}/webhook") as second,
        httpx.Client(base_url=second.url, headers=headers) as chapa,
    ):
        assert verified(chapa, order) == charge
        assert chapa.get("/simulator/behaviour").json()["webhooks"] == "off"
        misbehave(chapa, webhooks="on")
        eventually(lambda: merchant.about(order["tx_ref"]))


def test_behaviour_a_lost_answer_leaves_a_payment_that_verify_knows(chapa: httpx.Client, order: dict[str, Any]) -> None:
    misbehave(chapa, initialize="timeout")

    with pytest.raises(httpx.ReadTimeout):
        chapa.post("/v1/transaction/initialize", json=order, timeout=0.5)

    assert verified(chapa, order)["status"] == "pending"


@pytest.mark.parametrize(("fault", "status", "kind"), [("500", 500, "application/json"), ("down", 503, "text/html")])
def test_behaviour_a_failing_provider_does_nothing(
    chapa: httpx.Client, order: dict[str, Any], fault: str, status: int, kind: str
) -> None:
    misbehave(chapa, initialize=fault)

    answer = chapa.post("/v1/transaction/initialize", json=order)

    assert answer.status_code == status
    assert answer.headers["Content-Type"].startswith(kind)
    assert chapa.get(f"/v1/transaction/verify/{order['tx_ref']}").status_code == 404


def test_behaviour_verify_may_say_that_nothing_is_paid_yet(chapa: httpx.Client, order: dict[str, Any]) -> None:
    checkout_url(chapa, order)
    misbehave(chapa, verify="not_paid")

    answer = chapa.get(f"/v1/transaction/verify/{order['tx_ref']}")

    assert answer.status_code == 404
    assert answer.json() == {"message": "Payment not paid yet", "status": None, "data": None}


def test_behaviour_webhooks_can_arrive_several_times(
    chapa: httpx.Client, merchant: Merchant, order: dict[str, Any]
) -> None:
    misbehave(chapa, duplicate=2)

    paid(chapa, order)

    eventually(lambda: len(merchant.about(order["tx_ref"])) == 3)


def test_behaviour_facts_can_be_told_wrongly(chapa: httpx.Client, merchant: Merchant, order: dict[str, Any]) -> None:
    misbehave(chapa, amount_override="1.00", currency_override="USD", mode_override="live")

    charge = paid(chapa, order)

    [webhook] = eventually(lambda: merchant.about(order["tx_ref"]))
    assert (charge["amount"], charge["currency"], charge["mode"]) == (1, "USD", "live")
    assert (webhook.json["amount"], webhook.json["currency"], webhook.json["mode"]) == ("1.00", "USD", "live")


@pytest.mark.parametrize("signature", ["wrong", "constant"])
def test_behaviour_signatures_can_be_worthless(
    chapa: httpx.Client, merchant: Merchant, order: dict[str, Any], signature: str
) -> None:
    misbehave(chapa, signature=signature)

    paid(chapa, order)

    [webhook] = eventually(lambda: merchant.about(order["tx_ref"]))
    assert webhook.headers["x-chapa-signature"] != sign(webhook.raw)
    assert (webhook.headers["x-chapa-signature"] is None) == (signature == "constant")
    assert webhook.headers["chapa-signature"] == sign(WEBHOOK_SECRET.encode())


def test_behaviour_an_unknown_switch_is_refused(chapa: httpx.Client) -> None:
    assert chapa.post("/simulator/behaviour", json={"webhook": "off"}).status_code == 422


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
