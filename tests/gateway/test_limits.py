"""How much one client may ask for, and what it is told when that was too much."""

import asyncio
import time
from collections.abc import AsyncIterator
from pathlib import Path

import httpx

from tests.gateway.nginx import Gateway, running_gateway

SETTINGS, HEADERS, END_HEADERS = 4, 1, 4


def frame(kind: int, flags: int = 0, stream: int = 0, payload: bytes = b"") -> bytes:
    """What HTTP/2 is made of (RFC 9113, section 4.1)."""
    return len(payload).to_bytes(3, "big") + bytes([kind, flags]) + stream.to_bytes(4, "big") + payload


async def many(client: httpx.AsyncClient, count: int, method: str, path: str) -> list[httpx.Response]:
    """So many of the same request at the same time."""
    return await asyncio.gather(*(client.request(method, path) for _ in range(count)))


def refused(answers: list[httpx.Response]) -> list[httpx.Response]:
    return [answer for answer in answers if answer.status_code == 429]


async def test_a_client_over_its_rate_is_told_when_to_come_back(upstreams: dict[str, str], tmp_path: Path) -> None:
    limits = {"NEXUS_RATE_PER_SECOND": "5", "NEXUS_RATE_BURST": "10"}
    async with running_gateway(tmp_path, **upstreams, **limits) as gateway, gateway.client() as client:
        first = refused(await many(client, 30, "GET", "/api/v1/bookings"))
        await asyncio.sleep(float(first[0].headers["Retry-After"]) + 0.1)
        again = await client.get("/api/v1/bookings")

    assert 15 <= len(first) <= 25
    assert first[0].headers["Content-Type"] == "application/problem+json"
    assert first[0].json()["code"] == "rate_limited"
    assert first[0].headers["RateLimit-Policy"] == '"api";q=5;w=1'
    assert first[0].headers["RateLimit"] == '"api";r=0;t=1'
    assert again.status_code == 200


async def test_guessing_passwords_is_limited_more_strictly_than_the_rest(
    upstreams: dict[str, str], tmp_path: Path
) -> None:
    limits = {"NEXUS_CREDENTIALS_PER_MINUTE": "1", "NEXUS_CREDENTIALS_BURST": "3"}
    async with running_gateway(tmp_path, **upstreams, **limits) as gateway, gateway.client() as client:
        paths = ["/api/v1/auth/login", "/api/v1/auth/%6cogin/", "/api/v1/auth/register", "/api/v1/auth/forgot-password"]
        logins = [await client.post(path) for path in paths * 2]
        others = await many(client, 20, "POST", "/api/v1/auth/refresh")

    assert [answer.status_code for answer in logins] == [200] * 4 + [429] * 4
    assert logins[-1].headers["RateLimit-Policy"] == '"credentials";q=1;w=60'
    assert logins[-1].headers["Retry-After"] == "60"
    assert not refused(others)


async def test_the_payment_provider_is_not_held_back_by_the_limits_of_clients(
    upstreams: dict[str, str], tmp_path: Path
) -> None:
    limits = {"NEXUS_RATE_PER_SECOND": "1", "NEXUS_RATE_BURST": "1", "NEXUS_CONNECTIONS": "1"}
    async with running_gateway(tmp_path, **upstreams, **limits) as gateway, gateway.client() as client:
        webhooks = await many(client, 60, "POST", "/api/v1/payments/chapa/webhook")

    assert not refused(webhooks)


async def test_a_client_may_not_hold_too_many_requests_open(upstreams: dict[str, str], tmp_path: Path) -> None:
    async with running_gateway(tmp_path, **upstreams, NEXUS_CONNECTIONS="3") as gateway, gateway.client() as client:
        answers = await many(client, 6, "GET", "/api/v1/bookings?slow=0.5")

    assert len(refused(answers)) == 3
    assert refused(answers)[0].json()["code"] == "rate_limited"


async def test_a_refusal_by_the_service_keeps_the_services_own_words(client: httpx.AsyncClient) -> None:
    answer = await client.get("/api/v1/auth/me?status=429")

    assert answer.json()["code"] == "of_the_service"
    assert "RateLimit" not in answer.headers


async def test_a_body_may_have_one_mebibyte_and_not_a_byte_more(client: httpx.AsyncClient) -> None:
    allowed = await client.post("/api/v1/auth/register", content=b"x" * 1_048_576)
    too_large = await client.post("/api/v1/auth/register", content=b"x" * 1_048_577)

    assert allowed.json()["body"] == 1_048_576
    assert (too_large.status_code, too_large.json()["code"]) == (413, "payload_too_large")


async def test_over_http_2_a_body_that_is_too_large_is_refused_in_the_same_words(gateway: Gateway) -> None:
    tls = gateway.tls
    tls.set_alpn_protocols(["h2"])
    reader, writer = await asyncio.open_connection(
        "127.0.0.1", gateway.https_port, ssl=tls, server_hostname="localhost"
    )
    path, host, length = b"/api/v1/auth/register", b"localhost", b"1048577"
    # HPACK by its static table: POST, https, then a name's index with the value's length before it.
    post = b"\x83\x87\x04%c%s\x01%c%s\x0f\x0d%c%s" % (len(path), path, len(host), host, len(length), length)

    writer.write(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + frame(SETTINGS) + frame(HEADERS, END_HEADERS, 1, post))
    answer = await asyncio.wait_for(reader.readuntil(b'"}'), 5)
    writer.close()

    assert b'"code":"payload_too_large"' in answer


async def test_a_body_of_unknown_length_is_measured_as_it_arrives(client: httpx.AsyncClient) -> None:
    async def endless() -> AsyncIterator[bytes]:
        for _ in range(32):
            yield b"x" * 65_536

    started = time.monotonic()
    answer = await client.post("/api/v1/auth/register", content=endless())

    assert answer.status_code == 413
    assert time.monotonic() - started < 5
