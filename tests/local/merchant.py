"""A merchant for the payment simulator: calls Chapa's API with its key, and receives webhooks and callbacks.

The tests of the simulator use it.
"""

import hashlib
import hmac
import json
import threading
import time
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, TypeVar
from urllib.parse import parse_qs, urlsplit
from uuid import uuid4

import httpx

from tests.local.simulators import SECRET_KEY, WEBHOOK_SECRET

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

            def do_GET(self) -> None:
                self.do_POST()

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


def client(url: str) -> httpx.Client:
    """Calls the provider as the merchant."""
    return httpx.Client(base_url=url, headers={"Authorization": f"Bearer {SECRET_KEY}"}, timeout=5)


def new_order(merchant: Merchant) -> dict[str, Any]:
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
