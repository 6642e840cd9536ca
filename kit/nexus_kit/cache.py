"""Cache-aside for finished answers: bytes in Redis, never stale once a write has been answered.

A service makes one `Cache` in its lifespan; reads go through `get_or_compute`, and whatever changes what a namespace shows
calls `invalidate` between its commit and its answer.

Each namespace has a generation, a number that is part of the key of every stored answer. Invalidating adds one, so that
all older answers are out of reach at once and leave by their TTL. A reader computes for the generation that it read
*before* it looked at the database: if a write comes between, the answer is stored where nobody looks.

- Redis away: answers are computed, and nothing waits (`disposable.py`). A bump that could not be made is a debt: this process
  does not use the namespace before it has paid. Other processes may serve the old answer until then, at most for the TTL.
- Redis restarted: it may have lost its last second, and a bump with it. A server that has just started knows no scripts, so
  a namespace whose script is unknown is bumped before the script is loaded.
"""

import asyncio
import hashlib
import random
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from typing import Any, NamedTuple

import structlog
from prometheus_client import Counter as Metric
from redis.asyncio import Redis
from redis.exceptions import NoScriptError, RedisError

log = structlog.get_logger(__name__)

MAX_BYTES = 1024 * 1024
"""A larger answer is not worth its room and is not stored."""

_JITTER = 0.1
_FLUSH_SECONDS = 5.0
_REQUESTS = Metric("cache_requests_total", "Reads of the cache; `bypass` is Redis away.", ["namespace", "outcome"])

# The name makes the script, and so its hash, the namespace's own. One round trip, and no write: it works on a full server.
_LOOK_UP = """#!lua flags=no-writes
-- {namespace}
local generation = redis.call('GET', KEYS[1]) or '0'
return {{generation, redis.call('GET', KEYS[2] .. generation)}}
"""


class _Found(NamedTuple):
    """`generation` is None when Redis does not answer, `answer` when there is none."""

    generation: bytes | None
    answer: bytes | None


class Cache:
    """One per process and Redis database."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis
        self._debts: set[str] = set()
        self._flights: dict[tuple[str, str, bytes], asyncio.Future[bytes]] = {}
        self._unsaved: Counter[tuple[str, str]] = Counter()
        self._namespaces: set[str] = set()
        self._saved_at = time.monotonic()

    async def get_or_compute(
        self, namespace: str, key: str, ttl: float, compute: Callable[[], Awaitable[bytes]]
    ) -> bytes:
        """The stored answer, or `compute()`, which is then stored for about `ttl` seconds. Redis never makes this raise.

        Of many readers in this process who miss the same answer, one computes it for all.
        """
        place = hashlib.blake2b(key.encode(), digest_size=16).hexdigest()
        generation, answer = await self._look_up(namespace, place)
        if answer is not None:
            self._count(namespace, "hits")
            return answer
        if generation is None:
            _REQUESTS.labels(namespace, "bypass").inc()
            return await compute()
        self._count(namespace, "misses")
        flight = (namespace, place, generation)
        if (running := self._flights.get(flight)) is not None:
            await asyncio.wait([running])
            return await compute() if running.cancelled() else running.result()
        self._flights[flight] = future = asyncio.get_running_loop().create_future()
        try:
            answer = await compute()
            future.set_result(answer)
        finally:
            future.cancel()  # does nothing to a result; without one, those who wait compute for themselves
            del self._flights[flight]
        await self._store(namespace, place, generation, answer, ttl)
        return answer

    async def invalidate(self, namespace: str) -> None:
        """No answer stored before this is used again. Call it after the commit and before answering; it never raises."""
        try:
            await self._redis.incr(_generation_key(namespace))
            self._debts.discard(namespace)
        except (RedisError, OSError) as exc:
            self._debts.add(namespace)
            log.warning("cache not invalidated yet", namespace=namespace, error=repr(exc))

    async def stats(self) -> dict[str, Any]:
        """`{hits, misses, hit_ratio, namespaces: {name: {hits, misses, hit_ratio}}}` of the namespaces used here.

        Summed over all processes since the cache was last emptied; others' numbers are up to 5 s of traffic late.
        """
        await self._save_counts()
        namespaces = {name: await self._counts(name) for name in sorted(self._namespaces)}
        totals = Counter[str]()
        for counts in namespaces.values():
            totals.update(counts)
        return {
            **_with_ratio(totals),
            "namespaces": {name: _with_ratio(counts) for name, counts in namespaces.items()},
        }

    async def _look_up(self, namespace: str, place: str) -> _Found:
        if namespace in self._debts:
            await self.invalidate(namespace)
            if namespace in self._debts:
                return _Found(None, None)
        script = _LOOK_UP.format(namespace=namespace)
        sha = hashlib.sha1(script.encode(), usedforsecurity=False).hexdigest()
        keys = (_generation_key(namespace), _answer_key(namespace, place, b"").decode())
        try:
            try:
                return _Found(*await self._redis.evalsha(sha, len(keys), *keys))
            except NoScriptError:
                await self._redis.incr(_generation_key(namespace))
                await self._redis.script_load(script)
                return _Found(*await self._redis.evalsha(sha, len(keys), *keys))
        except (RedisError, OSError):
            return _Found(None, None)

    async def _store(self, namespace: str, place: str, generation: bytes, answer: bytes, ttl: float) -> None:
        if len(answer) > MAX_BYTES:
            return
        milliseconds = int(ttl * 1000 * random.uniform(1 - _JITTER, 1 + _JITTER))  # noqa: S311 - spreads expiry
        try:
            await self._redis.set(_answer_key(namespace, place, generation), answer, px=milliseconds)
        except (RedisError, OSError) as exc:
            log.warning("answer not cached", namespace=namespace, error=repr(exc))

    # ---------------------------------------------------------------------------------------- counting

    def _count(self, namespace: str, outcome: str) -> None:
        _REQUESTS.labels(namespace, outcome.removesuffix("s")).inc()
