"""The gateway's own errors are problem documents; those of the services pass through untouched."""

import asyncio
import json
from pathlib import Path

import httpx
import pytest

from tests.gateway.nginx import Gateway, running_gateway
from tests.gateway.upstream import Upstream, serving


def assert_problem(answer: httpx.Response, status: int, code: str) -> None:
    problem = answer.json()
    assert answer.status_code == status
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert problem.keys() == {"type", "title", "status", "detail", "code", "request_id"}
    assert (problem["type"], problem["status"], problem["code"]) == (f"/problems/{code}", status, code)
    assert problem["request_id"] == answer.headers["X-Request-Id"]


@pytest.mark.parametrize("path", ["/nowhere", "/api/v1/nowhere", "/api/", "/portal.json"])
async def test_an_unknown_address_is_a_404_problem(client: httpx.AsyncClient, path: str) -> None:
    assert_problem(await client.get(path), 404, "not_found")


async def test_a_page_cannot_be_written_to(client: httpx.AsyncClient) -> None:
    assert_problem(await client.post("/index.html"), 405, "method_not_allowed")


@pytest.mark.parametrize(
    ("request_", "status", "code"),
    [
        (b"NONSENSE\r\n\r\n", 400, "bad_request"),
        (b"GET / HTTP/1.1\r\n\r\n", 400, "bad_request"),
        (b"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", 400, "bad_request"),
        (b"GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n", 400, "bad_request"),
        (b"GET /%s HTTP/1.1\r\nHost: a\r\n\r\n" % (b"x" * 17_000), 414, "uri_too_long"),
        (b"GET / HTTP/1.1\r\nHost: a\r\nX: %s\r\n\r\n" % (b"x" * 17_000), 431, "headers_too_large"),
        (b"GET / HTTP/1.1\r\nHost: a\r\n%s\r\n" % (b"X: y\r\n" * 101), 431, "headers_too_large"),
        (b"GET / HTTP/3.0\r\nHost: a\r\n\r\n", 505, "http_version_not_supported"),
        (b"POST /api/v1/quotes HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: odd\r\n\r\n", 501, "not_implemented"),
    ],
)
async def test_a_request_that_is_not_http_is_a_problem_too(
    gateway: Gateway, request_: bytes, status: int, code: str
) -> None:
    head, body = await gateway.say(request_)

    assert head.startswith(b"HTTP/1.1 %d " % status)
    assert b"content-type: application/problem+json" in head.lower()
    problem = json.loads(body)
    assert (problem["status"], problem["code"]) == (status, code)
    assert f"x-request-id: {problem['request_id']}".encode() in head.lower()


@pytest.mark.parametrize(
    "request_",
    [
        b"GET /api/v1/auth/\xff HTTP/1.1\r\nHost: a\r\n\r\n",
        b"GET /api/v1/auth/me?\x01 HTTP/1.1\r\nHost: a\r\n\r\n",
        b"GET /api/v1/auth/me HTTP/1.1\r\nHost: a\r\nX: \x7f\r\n\r\n",
        b"GET /api/v1/auth/me HTTP/1.1\r\nHost: a\r\nX: \x01\r\n\r\n",
        b"WHATEVER /api/v1/auth/me HTTP/1.1\r\nHost: a\r\n\r\n",
    ],
)
async def test_what_the_gateway_lets_through_and_no_service_can_parse_is_a_problem_too(
    gateway: Gateway, services: dict[str, Upstream], request_: bytes
) -> None:
    before = list(services["auth"].requests)

    head, body = await gateway.say(request_)

    problem = json.loads(body)
    assert head.startswith(b"HTTP/1.1 400 ")
    assert b"content-type: application/problem+json" in head.lower()
    assert (problem["status"], problem["code"]) == (400, "bad_request")
    assert f"x-request-id: {problem['request_id']}".encode() in head.lower()
    assert services["auth"].requests == before


@pytest.mark.parametrize("method", ["GET", "POST", "DELETE"])
async def test_a_service_that_takes_too_long_is_a_504_problem(client: httpx.AsyncClient, method: str) -> None:
    assert_problem(await client.request(method, "/api/v1/bookings?slow=2"), 504, "gateway_timeout")


async def test_a_dead_service_is_a_502_problem_until_it_is_back(tmp_path: Path) -> None:
    service = Upstream("auth")
    async with serving(service):
        pass  # now its port is known, and nobody listens there

    async with running_gateway(tmp_path, NEXUS_AUTH_UPSTREAM=service.address) as gateway, gateway.client() as client:
        dead = await client.get("/api/v1/auth/me")
        async with serving(service):
            alive = await client.get("/api/v1/auth/me")

    assert_problem(dead, 502, "bad_gateway")
    assert dead.headers["Retry-After"] == "1"
    assert alive.status_code == 200


async def test_a_problem_that_a_service_made_passes_through_untouched(client: httpx.AsyncClient) -> None:
    for status in (400, 401, 404, 409, 413, 422, 429, 500, 502, 503, 504):
        answer = await client.get(f"/api/v1/auth/me?status={status}")

        assert answer.status_code == status
        assert answer.json() == {"type": "/problems/of_the_service", "status": status, "code": "of_the_service"}


async def test_a_client_that_stops_sending_is_cut_off_and_its_request_never_reaches_a_service(
    gateway: Gateway, services: dict[str, Upstream]
) -> None:
    before = list(services["auth"].requests)
    reader, writer = await asyncio.open_connection(
        "127.0.0.1", gateway.https_port, ssl=gateway.tls, server_hostname="localhost"
    )

    writer.write(b"POST /api/v1/auth/login HTTP/1.1\r\nHost: a\r\nContent-Length: 100\r\n\r\n{")
    with pytest.raises(ConnectionResetError):
        await asyncio.wait_for(reader.read(-1), 15)  # client_body_timeout is 10 s
    writer.close()

    assert services["auth"].requests == before
