"""How often the unauthenticated calls may be made: with the limits on, as in production."""

import asyncio
from collections.abc import AsyncIterator

import httpx
import pytest
from nexus_auth.main import build
from nexus_kit.testing import SIGNING_KEY, Servers, Service, running_service

from tests.auth.given import PASSWORD, code, register


@pytest.fixture(scope="module")
async def limited(servers: Servers) -> AsyncIterator[Service]:
    """A service of its own: the other tests' is built without limits."""
    async with running_service("auth_limited", build, servers, NEXUS_SIGNING_KEY=SIGNING_KEY.private_pem) as running:
        yield running


@pytest.fixture
async def stranger(limited: Service) -> AsyncIterator[httpx.AsyncClient]:
    """A client, before a service that has counted nothing yet."""
    await limited.clean()
    async with limited.client() as client:
        yield client


def from_elsewhere(limited: Service, number: int) -> httpx.AsyncClient:
    """A client at another address."""
    transport = httpx.ASGITransport(limited.app, client=(f"198.51.100.{number}", 40_000))
    return httpx.AsyncClient(transport=transport, base_url="https://nexus.test")


async def test_guessing_one_accounts_password_is_stopped_wherever_it_comes_from(
    limited: Service, stranger: httpx.AsyncClient
) -> None:
    statuses = []
    for number in range(11):
        async with from_elsewhere(limited, number) as guesser:
            guess = {"email": "makeda@nexus.example", "password": f"guess number {number}"}
            answer = await guesser.post("/api/v1/auth/login", json=guess)
            statuses.append(answer.status_code)

    assert statuses == [401] * 10 + [429]
    assert code(answer) == (429, "rate_limited")
    assert int(answer.headers["Retry-After"]) > 0
    assert answer.headers["RateLimit-Policy"] == '"login-by-address";q=10;w=60'
    other = await stranger.post("/api/v1/auth/login", json={"email": "dawit@nexus.example", "password": PASSWORD})
    assert other.status_code == 401


async def test_nobodys_mailbox_can_be_filled_through_us(stranger: httpx.AsyncClient) -> None:
    await register(stranger, "makeda@nexus.example")
    forgotten = [
        await stranger.post("/api/v1/auth/forgot-password", json={"email": "Makeda@nexus.example"}) for _ in range(3)
    ]

    assert [answer.status_code for answer in forgotten] == [202, 202, 429]


@pytest.mark.parametrize(
    ("path", "policy"),
    [
        ("login", '"login";q=60;w=60'),
        ("register", '"register";q=30;w=60'),
        ("reset-password", '"reset-password";q=30;w=60'),
    ],
)
async def test_each_client_address_has_its_share_and_is_told_of_it(
    limited: Service, stranger: httpx.AsyncClient, path: str, policy: str
) -> None:
    # The body is refused, but it has been counted: trying out bodies is not free either.
    answers = await asyncio.gather(*(stranger.post(f"/api/v1/auth/{path}", json={}) for _ in range(70)))

    refused = [answer for answer in answers if answer.status_code == 429]
    assert {answer.status_code for answer in answers} == {422, 429}
    assert {answer.headers["RateLimit-Policy"] for answer in refused} == {policy}
    async with from_elsewhere(limited, 1) as other:
        assert (await other.post(f"/api/v1/auth/{path}", json={})).status_code == 422
