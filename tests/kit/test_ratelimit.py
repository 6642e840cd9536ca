"""Rate limits let a burst pass, then a steady rate, and never take the service down with their Redis."""

import asyncio
import re
from dataclasses import replace
from uuid import uuid4

import httpx
import pytest
from nexus_kit.disposable import DisposableRedis
from nexus_kit.ratelimit import Limit, RateLimited, by_ip
from nexus_kit.runtime import Runtime
from nexus_kit.testing import Service, signed_in
from starlette.requests import Request

from tests.servers import free_port


async def test_a_burst_passes_and_the_next_one_is_told_when_to_come_back(client: httpx.AsyncClient) -> None:
    granted = [await client.get("/api/v1/hello") for _ in range(3)]

    refused = await client.get("/api/v1/hello")

    assert [answer.status_code for answer in granted] == [200, 200, 200]
    assert [answer.headers["RateLimit"] for answer in granted] == [f'"hello";r={3 - n};t={n}' for n in (1, 2, 3)]
    assert (refused.status_code, refused.json()["code"]) == (429, "rate_limited")
    assert refused.headers["Retry-After"] == "1"
    assert refused.headers["RateLimit-Policy"] == '"hello";q=60;w=60'
    assert re.fullmatch(r'"hello";r=0;t=1', refused.headers["RateLimit"])


async def test_what_was_spent_comes_back_at_the_steady_rate(service: Service) -> None:
    limit, key = Limit("steady", per_minute=600, burst=1), str(uuid4())
    await limit.spend(_runtime(service), key)
    with pytest.raises(RateLimited):
        await limit.spend(_runtime(service), key)

    await asyncio.sleep(0.11)

    await limit.spend(_runtime(service), key)


async def test_of_many_at_once_no_more_than_the_burst_pass(service: Service) -> None:
    limit, key = Limit("rush", per_minute=10), str(uuid4())

    outcomes = await asyncio.gather(*(limit.spend(_runtime(service), key) for _ in range(50)), return_exceptions=True)

    assert sum(isinstance(outcome, dict) for outcome in outcomes) == 10
    assert sum(isinstance(outcome, RateLimited) for outcome in outcomes) == 40


async def test_users_are_counted_apart(client: httpx.AsyncClient) -> None:
    one, other = signed_in(uuid4()), signed_in(uuid4())

    statuses = [(await client.get("/api/v1/whoami", headers=who)).status_code for who in (one, one, other)]

    assert statuses == [200, 429, 200]


async def test_everybody_passes_while_redis_is_away(service: Service) -> None:
    async with DisposableRedis.connect(f"redis://127.0.0.1:{free_port()}/0") as nobody:
        runtime = _runtime(service, cache=nobody)

        headers = [await Limit("away", per_minute=1).spend(runtime, "k") for _ in range(3)]

    assert headers == [{}, {}, {}]


async def test_no_address_is_kept_in_redis(client: httpx.AsyncClient, service: Service) -> None:
    await client.get("/api/v1/hello")

    keys = [key.decode() async for key in service.cache.scan_iter("*:rate:*")]

    assert len(keys) == 1
    assert "127.0.0.1" not in keys[0]


@pytest.mark.parametrize(
    ("host", "counted"),
    [("192.0.2.7", "192.0.2.7"), ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"), ("testclient", "testclient")],
)
async def test_an_ipv6_household_is_counted_as_one(host: str, counted: str) -> None:
    assert await by_ip(Request({"type": "http", "client": (host, 1)})) == counted


def _runtime(service: Service, cache: DisposableRedis | None = None) -> Runtime:
    runtime: Runtime = service.app.state.runtime
    return replace(runtime, cache=cache) if cache else runtime
