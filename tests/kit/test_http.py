"""A call to another service is signed and traced, repeated where that is safe, and ends in time."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from nexus_kit import context
from nexus_kit.errors import UpstreamUnavailable
from nexus_kit.http import ServiceClient
from nexus_kit.testing import INTERNAL_SECRET
from nexus_kit.tokens import verify_service_token

from tests.servers import free_port


class Neighbour:
    """A service that answers with the given statuses, one after the other, and remembers what it was asked."""

    def __init__(self, *statuses: int) -> None:
        self.statuses = list(statuses)
        self.requests: list[tuple[str, dict[str, str]]] = []
        self.url = ""


@contextmanager
def _running(neighbour: Neighbour) -> Iterator[Neighbour]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            neighbour.requests.append((self.command, {name.lower(): value for name, value in self.headers.items()}))
            self.send_response(neighbour.statuses.pop(0))
            self.send_header("Content-Length", "0")
            self.end_headers()

        def do_POST(self) -> None:
            self.do_GET()

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        neighbour.url = f"http://127.0.0.1:{server.server_port}"
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield neighbour
        server.shutdown()
        thread.join()


def _client(url: str) -> ServiceClient:
    return ServiceClient(url, caller="bookings", audience="listings", secret=INTERNAL_SECRET)


async def test_a_call_carries_who_asks_and_for_which_request() -> None:
    with _running(Neighbour(200)) as neighbour, context.working_for("request-from-a-test", None):
        async with _client(neighbour.url) as client:
            await client.request("GET", "/internal/listings/1")

    ((_, headers),) = neighbour.requests
    token = headers["authorization"].removeprefix("Bearer ")
    assert verify_service_token(token, INTERNAL_SECRET, audience="listings") == "bookings"
    assert headers["x-request-id"] == "request-from-a-test"
    assert headers["traceparent"].startswith("00-")


async def test_a_read_is_repeated_when_the_service_is_overloaded() -> None:
    with _running(Neighbour(503, 502, 200)) as neighbour:
        async with _client(neighbour.url) as client:
            answer = await client.request("GET", "/")

    assert answer.status_code == 200
    assert len(neighbour.requests) == 3


async def test_a_write_that_may_have_happened_is_not_repeated() -> None:
    with _running(Neighbour(503, 200)) as neighbour:
        async with _client(neighbour.url) as client:
            with pytest.raises(UpstreamUnavailable):
                await client.request("POST", "/")

    assert len(neighbour.requests) == 1


@pytest.mark.parametrize("status", [204, 404, 409, 422, 500])
async def test_any_other_answer_is_the_callers_to_judge(status: int) -> None:
    with _running(Neighbour(status)) as neighbour:
        async with _client(neighbour.url) as client:
            answer = await client.request("POST", "/")

    assert answer.status_code == status


@pytest.mark.parametrize("method", ["GET", "POST"])
async def test_a_service_that_is_not_there_is_unavailable(method: str) -> None:
    async with _client(f"http://127.0.0.1:{free_port()}") as client:
        with pytest.raises(UpstreamUnavailable):
            await client.request(method, "/")
