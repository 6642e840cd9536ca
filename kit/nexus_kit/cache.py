"""Cache-aside for finished answers: bytes in Redis, never stale once a write has been answered.

A service makes one `Cache` in its lifespan. Reads go through `get_or_compute`; whatever changes what a namespace shows
calls `invalidate` between its commit and its answer.

Each namespace has a generation, a number that is part of the key of every stored answer. Invalidating adds one, so that
all older answers are out of reach at once and leave by their TTL. A reader computes for the generation that it read
*before* it looked at the database: if a write comes between, the answer is stored where nobody looks.

- Redis away: answers are computed, and nothing waits (`disposable.py`). A bump that could not be made is a debt: this
  process does not use the namespace before it has paid. Another may serve the old answer until then, or its TTL.
- Redis restarted: it may have lost its last second, and a bump with it. A server that has just started knows no
  scripts, so a namespace whose script is unknown is bumped before the script is loaded.
"""

import asyncio
import hashlib
import random
from collections import Counter
from collections.abc import Awaitable, Callable
from typing import Any

import structlog
from prometheus_client import Counter as Metric
from redis.asyncio import Redis
from redis.exceptions import NoScriptError, RedisError

log = structlog.get_logger(__name__)

MAX_BYTES = 1024 * 1024
"""A larger answer is not worth its room and is not stored."""

_JITTER = 0.1
_READS = Metric("cache_reads_total", "Reads of the cache by outcome; a bypass is Redis away.", ["namespace", "outcome"])

# The name makes the script, and so its hash, the namespace's own. It writes nothing, so it works on a full server too.
_LOOK_UP = """#!lua flags=no-writes
-- NAMESPACE
local generation = redis.call('GET', KEYS[1]) or '0'
return {generation, redis.call('GET', KEYS[2] .. generation)}
"""


class Cache:
    """One per process and Redis database."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis
        self._namespaces: dict[str, _Namespace] = {}

    async def get_or_compute(
        self, namespace: str, key: str, ttl: float, compute: Callable[[], Awaitable[bytes]]
    ) -> bytes:
        """The stored answer, or `compute()`, then stored for about `ttl` seconds. Redis never makes this raise.

        Of many readers in this process who miss the same answer, one computes it for all.
        """
        space = self._namespace(namespace)
        place = space.prefix + hashlib.blake2b(key.encode(), digest_size=16).hexdigest() + ":"
        generation, answer = await self._look_up(space, place)
        if answer is not None:
            space.count("hits")
            return answer
        if generation is None:
            space.count("bypasses")
            return await compute()
        space.count("misses")
        place += generation.decode()
        if (running := space.flights.get(place)) is not None:
            await asyncio.wait([running])
            return await compute() if running.cancelled() else running.result()
        space.flights[place] = flight = asyncio.get_running_loop().create_future()
        try:
            answer = await compute()
            flight.set_result(answer)
            await self._store(space, place, answer, ttl)
        finally:
            flight.cancel()  # does nothing to a result; without one, those who wait compute for themselves
            del space.flights[place]
        return answer

    async def invalidate(self, namespace: str) -> None:
        """No answer stored before is used again. Call it after the commit and before answering; it never raises."""
        space = self._namespace(namespace)
        debts = space.debts
        try:
            await self._redis.incr(space.generation_key)
        except (RedisError, OSError) as exc:
            space.debts += 1
            log.warning("cache not invalidated yet", namespace=namespace, error=repr(exc))
        else:
            if space.debts == debts:  # a debt made while this was on its way may be about a later commit
                space.debts = 0

    async def stats(self) -> dict[str, Any]:
        """`{hits, misses, hit_ratio, namespaces: {name: {hits, misses, hit_ratio}}}` of the namespaces used here.

        Since the cache was last emptied, over all processes; what another one counted since its last miss is missing.
        """
        counts = {name: await self._counts(space) for name, space in sorted(self._namespaces.items())}
        total = sum(counts.values(), Counter[str]())
        return {**_with_ratio(total), "namespaces": {name: _with_ratio(each) for name, each in counts.items()}}

    def _namespace(self, name: str) -> "_Namespace":
        if name not in self._namespaces:
            self._namespaces[name] = _Namespace(name)
        return self._namespaces[name]

    async def _look_up(self, space: "_Namespace", place: str) -> tuple[bytes | None, bytes | None]:
        """The generation, None when Redis does not answer, and the answer stored under it, None when there is none."""
        if space.debts:
            await self.invalidate(space.name)
            if space.debts:
                return None, None
        try:
            try:
                found = await self._redis.evalsha(space.sha, 2, space.generation_key, place)
            except NoScriptError:
                await self._redis.incr(space.generation_key)
                await self._redis.script_load(space.script)
                found = await self._redis.evalsha(space.sha, 2, space.generation_key, place)
        except (RedisError, OSError):
            return None, None
        return found[0], found[1]

    async def _store(self, space: "_Namespace", place: str, answer: bytes, ttl: float) -> None:
        """Store the answer, and with the same round trip add what this process counted to the sum of all."""
        unsaved, space.unsaved = space.unsaved, Counter()
        try:
            async with self._redis.pipeline(transaction=False) as pipeline:
                if len(answer) <= MAX_BYTES:
                    spread = random.uniform(1 - _JITTER, 1 + _JITTER)  # noqa: S311 - so that not all expire at once
                    pipeline.set(place, answer, px=int(ttl * 1000 * spread))
                for outcome, number in unsaved.items():
                    pipeline.hincrby(space.counts_key, outcome, number)
                await pipeline.execute()
        except (RedisError, OSError) as exc:
            space.unsaved += unsaved
            log.warning("answer not cached", namespace=space.name, error=repr(exc))

    async def _counts(self, space: "_Namespace") -> Counter[str]:
        try:
            saved = await self._redis.hmget(space.counts_key, ["hits", "misses"])
        except (RedisError, OSError):
            saved = [None, None]
        return space.unsaved + Counter(hits=int(saved[0] or 0), misses=int(saved[1] or 0))


class _Namespace:
    """What a process knows of one namespace. The braces keep its keys on one node of a Redis Cluster."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.prefix = f"nexus:{{{name}}}:cache:"
        self.generation_key = f"{self.prefix}generation"
        self.counts_key = f"{self.prefix}counts"
        self.script = _LOOK_UP.replace("NAMESPACE", name)
        self.sha = hashlib.sha1(self.script.encode(), usedforsecurity=False).hexdigest()
        self.flights: dict[str, asyncio.Future[bytes]] = {}
        self.debts = 0
        self.unsaved = Counter[str]()
        self._metrics = {outcome: _READS.labels(name, outcome) for outcome in ("hits", "misses", "bypasses")}

    def count(self, outcome: str) -> None:
        self._metrics[outcome].inc()
        self.unsaved[outcome] += 1


def _with_ratio(counts: Counter[str]) -> dict[str, float]:
    hits, misses = counts["hits"], counts["misses"]
    return {"hits": hits, "misses": misses, "hit_ratio": round(hits / (hits + misses), 4) if hits else 0.0}
