"""What the gateway tells the services, the client and the access log about each request."""

import asyncio
import json
import re
from pathlib import Path

import httpx
import pytest

from tests.gateway.nginx import Gateway, running_gateway


def received(answer: httpx.Response, name: str) -> list[str]:
    """The values of a header, as the service received them."""
    return [value for key, value in answer.json()["headers"] if key == name]


def access_log(gateway: Gateway) -> str:
    return Path(gateway.variables["NEXUS_ACCESS_LOG"]).read_text(errors="replace")  # what clients send, raw


async def test_every_response_carries_exactly_one_request_id_and_the_service_was_told_the_same(
    client: httpx.AsyncClient,
) -> None:
    answer = await client.get("/api/v1/auth/me")

    ids = answer.headers.get_list("X-Request-Id")
    assert len(ids) == 1
    assert re.fullmatch("[0-9a-f]{32}", ids[0])
    assert received(answer, "x-request-id") == ids


async def test_a_sane_request_id_of_the_client_is_kept(client: httpx.AsyncClient) -> None:
    answer = await client.get("/api/v1/auth/me", headers={"X-Request-Id": "checkout-42.attempt_1"})

    assert answer.headers["X-Request-Id"] == "checkout-42.attempt_1"
    assert received(answer, "x-request-id") == ["checkout-42.attempt_1"]


@pytest.mark.parametrize("bad", ["short", "x" * 65, 'quote"in-it', "space in it"])
async def test_any_other_request_id_is_replaced(client: httpx.AsyncClient, bad: str) -> None:
    answer = await client.get("/api/v1/auth/me", headers={"X-Request-Id": bad})

    assert answer.headers["X-Request-Id"] != bad


async def test_a_client_cannot_forge_its_address_or_the_host(client: httpx.AsyncClient, gateway: Gateway) -> None:
    forged = {
        "X-Forwarded-For": "203.0.113.9",
        "X-Forwarded-Proto": "http",
        "X-Forwarded-Host": "evil.example",
        "X-Forwarded-Port": "1",
        "X-Forwarded-Prefix": "/evil",
        "X-Real-IP": "203.0.113.9",
        "Forwarded": "for=203.0.113.9",
    }

    answers = [
        await client.request(method, path, headers=forged)
        for method, path in [
            ("GET", "/api/v1/auth/me"),
            ("GET", "/api/v1/listings?forged"),
            ("POST", "/api/v1/payments/chapa/webhook"),
            ("GET", "/bookings/docs"),
        ]
    ]

    for answer in answers:
        host = f"localhost:{gateway.https_port}"
        assert received(answer, "x-forwarded-for") == ["127.0.0.1"]
        assert received(answer, "x-forwarded-proto") == ["https"]
        assert received(answer, "x-forwarded-host") == received(answer, "host") == [host]
        assert not any(received(answer, name) for name in ("x-real-ip", "forwarded", "x-forwarded-port"))
        assert "evil" not in answer.text


async def test_a_listed_proxy_in_front_is_believed(upstreams: dict[str, str], tmp_path: Path) -> None:
    async with (
        running_gateway(tmp_path, **upstreams, NEXUS_TRUSTED_PROXY="127.0.0.1/32") as gateway,
        gateway.client() as client,
    ):
        answer = await client.get("/api/v1/auth/me", headers={"X-Forwarded-For": "198.51.100.1, 203.0.113.9"})

    assert received(answer, "x-forwarded-for") == ["203.0.113.9"]


async def test_the_trace_and_the_credentials_reach_the_service(client: httpx.AsyncClient) -> None:
    sent = {"traceparent": f"00-{'a' * 32}-{'b' * 16}-01", "authorization": "Bearer secret"}

    answer = await client.get("/api/v1/auth/me", headers=sent)

    assert all(received(answer, name) == [value] for name, value in sent.items())


async def test_the_security_headers_are_on_every_kind_of_response(client: httpx.AsyncClient) -> None:
    paths = ["/", "/portal.js", "/healthz", "/nowhere", "/api/v1/listings", "/api/v1/auth/me?status=409", "/auth/docs"]

    for path in paths:
        headers = (await client.get(path)).headers

        assert headers["Strict-Transport-Security"] == "max-age=63072000"
        assert headers.get_list("X-Content-Type-Options") == ["nosniff"]
        assert headers.get_list("X-Frame-Options") == ["DENY"]
        assert headers["Referrer-Policy"] == "no-referrer"
        assert "default-src 'none'" in headers["Content-Security-Policy"]
        assert "script-src 'unsafe" not in headers["Content-Security-Policy"]
        assert headers["Server"] == "nginx"


async def test_the_access_log_is_json_and_holds_neither_tokens_nor_queries(
    client: httpx.AsyncClient, gateway: Gateway
) -> None:
    headers = {"Authorization": "Bearer a-secret", "X-Request-Id": "looked-for-in-the-log", "User-Agent": 'quo"te'}

    await client.get("/api/v1/auth/me?token=a-secret", headers={**headers, "Referer": "https://x/?a-secret"})
    await asyncio.sleep(1.2)  # it is written once a second

    log = access_log(gateway)
    line = next(line for line in map(json.loads, log.splitlines()) if line["request_id"] == "looked-for-in-the-log")
    assert (line["method"], line["path"], line["status"]) == ("GET", "/api/v1/auth/me", 200)
    assert (line["client"], line["agent"], line["upstream_status"]) == ("127.0.0.1", 'quo"te', "200")
    assert float(line["upstream_seconds"]) <= line["seconds"] + 0.01
    assert "a-secret" not in log


async def test_the_access_log_is_utf_8_whatever_bytes_a_client_sends(gateway: Gateway) -> None:
    raw = b"GET /api/v1/auth/\xc3\x28 HTTP/1.1\r\nHost: a\r\nX-Request-Id: full-of-raw-bytes\r\n"

    await gateway.say(raw + b"User-Agent: b\xff\r\nTraceparent: \xfe\r\n\r\n")
    await asyncio.sleep(1.2)  # it is written once a second

    log = (gateway.folder / "access.log").read_bytes().decode()
    line = next(line for line in map(json.loads, log.splitlines()) if line["request_id"] == "full-of-raw-bytes")
    assert line["path"] == "/api/v1/auth/(and bytes that are no text)"
    assert (line["agent"], line["traceparent"]) == ("(not ASCII)", "")
