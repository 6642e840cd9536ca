"""Rate limits: a steady rate with room for a burst (GCRA), counted over all processes of a service.

    @router.post("/login", dependencies=[limit("login", per_minute=10)])

and, where what is counted is known only inside the route:

    LOGIN_BY_ADDRESS = Limit("login-by-address", per_minute=5)
    await LOGIN_BY_ADDRESS.spend(runtime, new.email)

When Redis is away everybody passes: a limiter must not be what takes the service down.
Headers: https://datatracker.ietf.org/doc/draft-ietf-httpapi-ratelimit-headers/
"""

import hashlib
import ipaddress
from collections.abc import Callable
from dataclasses import dataclass
from math import ceil
from typing import Annotated, Any

from fastapi import Depends, Request, Response
from prometheus_client import Counter
from redis.asyncio import Redis
from redis.exceptions import NoScriptError, RedisError

from nexus_kit.auth import CurrentUser
from nexus_kit.errors import TooManyRequests
from nexus_kit.runtime import Runtime, RuntimeDep

_DECISIONS = Counter("rate_limit_decisions_total", "Requests by outcome; `open` is Redis away.", ["limit", "decision"])

# Stored is the time at which the bucket will have run empty, in microseconds of the server's clock. Answers whether
# this request fits, how many more would, and the microseconds until there is room for one (if refused) or for `burst`.
_SPEND = """
local clock = redis.call('TIME')
local now = clock[1] * 1000000 + clock[2]
local interval, burst = tonumber(ARGV[1]), tonumber(ARGV[2])
local empty_at = math.max(tonumber(redis.call('GET', KEYS[1]) or '0'), now)
local room = interval * burst - (empty_at - now)
if room < interval then
    return {0, 0, interval - room}
end
empty_at = empty_at + interval
redis.call('SET', KEYS[1], string.format('%.0f', empty_at), 'PX', math.ceil((empty_at - now) / 1000))
return {1, math.floor((room - interval) / interval), empty_at - now}
"""
_SPEND_SHA = hashlib.sha1(_SPEND.encode(), usedforsecurity=False).hexdigest()


class RateLimited(TooManyRequests):
    """Too many requests in a short time; wait as long as Retry-After says."""


@dataclass(frozen=True)
class Limit:
    """`per_minute` requests a minute on average, and at most `burst` (as many, if not given) at once, for each key."""

    name: str
    per_minute: int
    burst: int | None = None

    async def spend(self, runtime: Runtime, key: str) -> dict[str, str]:
        """Count one request of `key`, and answer the headers that tell what is left. Raises `RateLimited`."""
        if runtime.settings.rate_limits == "off":
            return {}
        # Hashed: addresses are personal data, and may be of any length.
        place = f"nexus:{{{runtime.name}}}:rate:{self.name}:{hashlib.sha256(key.encode()).hexdigest()[:32]}"
        interval = round(60_000_000 / self.per_minute)
        try:
            granted, left, wait = await _evaluate(runtime.cache, place, interval, self.burst or self.per_minute)
        except (RedisError, OSError):
            _DECISIONS.labels(self.name, "open").inc()
            return {}
        _DECISIONS.labels(self.name, "granted" if granted else "refused").inc()
        seconds = ceil(wait / 1_000_000)
        headers = {
            "RateLimit-Policy": f'"{self.name}";q={self.per_minute};w=60',
            "RateLimit": f'"{self.name}";r={left};t={seconds}',
        }
        if not granted:
            raise RateLimited(f"Try again in {seconds} s.", headers={**headers, "Retry-After": str(seconds)})
        return headers


async def by_ip(request: Request) -> str:
    """The caller's address, as the gateway saw it; of IPv6 the /64, which one household has to itself."""
    host = request.client.host if request.client else ""
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return host
    return host if address.version == 4 else str(ipaddress.ip_network((address, 64), strict=False))


def by_user(user: CurrentUser) -> str:
    """The signed-in caller."""
    return str(user.user_id)


def limit(name: str, *, per_minute: int, burst: int | None = None, key: Callable[..., Any] = by_ip) -> Any:
    """A `Limit` as a route's dependency. `key` is a dependency too, and answers the string that is counted."""
    shared = Limit(name, per_minute, burst)

    async def spend(runtime: RuntimeDep, response: Response, who: Annotated[str, Depends(key)]) -> None:
        response.headers.update(await shared.spend(runtime, who))

    return Depends(spend)


async def _evaluate(redis: Redis, place: str, interval: int, burst: int) -> tuple[int, int, int]:
    try:
        answer = await redis.evalsha(_SPEND_SHA, 1, place, interval, burst)
    except NoScriptError:
        answer = await redis.eval(_SPEND, 1, place, interval, burst)
    granted, left, wait = answer
    return granted, left, wait
