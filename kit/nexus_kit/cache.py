"""Cache-aside for finished answers: bytes in Redis, never stale once a write has been answered.

A service makes one `Cache` in its lifespan. Reads go through `get_or_compute`; whatever changes what they show commits
inside `changing`. `cache_keys.py` has the keys and what runs inside Redis.

The cache has a generation, a random name that is part of the key of every stored answer. A write gives it another
one, so that all older answers are out of reach at once and leave by their TTL. A reader computes for the generation
that it read *before* it looked at the database: if a write comes between, the answer is not stored.

- A write does so before its commit too, and leaves a mark until it is over: while there is a mark, readers compute for
  themselves. A process killed between its commit and the end of `changing` leaves no old answer, only its mark, and
  readers pass the cache by until that expires.
- A miss is computed once: by a reader of the process that gets the lease, which the look-up itself takes. The other
  readers wait for its answer, other processes not longer than `LEASE_SECONDS`; then they compute for themselves.
- Redis away: answers are computed, and nothing waits (`disposable.py`). A change that Redis was not told of is a debt:
  this process does not use the cache before it has paid. Another may serve the old answer until then, or its TTL.
- Redis restarted: it may have lost its last second, and a generation with it. A server that has just started knows no
  scripts, so whoever finds the cache's own script unknown makes a new generation before loading it.
"""

import asyncio
import hashlib
import random
import secrets
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Any, NamedTuple

import structlog
from prometheus_client import Counter as Metric
from prometheus_client import Gauge
from redis.asyncio import Redis
from redis.exceptions import NoScriptError, RedisError

from nexus_kit.cache_keys import LOOK_UP, MARK, RELEASE, STORE, TAKE, UNMARK, Keys

log = structlog.get_logger(__name__)

MAX_BYTES = 1024 * 1024
"""A larger answer is not worth its room and is not stored."""
LEASE_SECONDS = 1.0
"""How long a dead process can keep others waiting for the answer that it was computing."""
MARK_SECONDS = 5.0
"""How long a dead process can keep readers from using the cache after a change that it was committing."""

_LEASE_MS = int(LEASE_SECONDS * 1000)
_POLL_SECONDS = 0.01
_TRIES = 50
_JITTER = 0.1
_COUNTED = ("hits", "misses", "bypasses", "stale_serves", "bytes_written")
_READS = Metric("cache_reads", "Reads by outcome; stale serves are misses as well.", ["namespace", "outcome"])
_WRITTEN = Metric("cache_written_bytes", "Bytes of the answers stored.", ["namespace"])
_STORED = Gauge("cache_stored_bytes", "Bytes of all stored answers, when this process last stored one.", ["namespace"])

Compute = Callable[[], Awaitable[bytes]]


class Served(NamedTuple):
    """An answer, and how it came about."""

    answer: bytes
    status: str
    """Parameters of a `Cache-Status` header (RFC 9211): `hit; ttl=42`."""


class Cache:
    """One per process. Everything in it ends together; its namespaces only tell the numbers apart."""

    def __init__(self, redis: Redis, name: str, namespaces: Sequence[str]) -> None:
        self._redis = redis
        self._keys = Keys(name)
        self._look_up = LOOK_UP.replace("NAME", name)
        self._look_up_sha = hashlib.sha1(self._look_up.encode(), usedforsecurity=False).hexdigest()
        self._lease = secrets.token_hex(8)  # one for all that this process computes: it computes no place twice at once
        self._flights: dict[str, _Flight] = {}
        self._debts = 0
        self._unsaved = {each: Counter[str]() for each in namespaces}

    async def get_or_compute(self, namespace: str, key: str, ttl: float, compute: Compute) -> Served:
        """The stored answer, or `compute()`, then stored for about `ttl` seconds. Redis never makes this raise."""
        place = self._keys.place(namespace, key)
        found = await self._find(place)
        if found is None:
            self._count(namespace, bypasses=1)
            return Served(await compute(), "fwd=bypass")
        if found.answer is not None:
            self._count(namespace, hits=1)
            return Served(found.answer, f"hit; ttl={found.milliseconds // 1000}")
        self._count(namespace, misses=1)
        generation = found.generation.decode()
        place += generation
        if (flight := self._flights.get(place)) is not None:
            flight.readers += 1
            await asyncio.wait([flight.answer])
            answer = await compute() if flight.answer.cancelled() else flight.answer.result()
            return Served(answer, "fwd=uri-miss; collapsed")
        self._flights[place] = flight = _Flight(namespace, place, generation)
        try:
            return await self._fly(flight, ttl, compute, has_lease=bool(found.is_leased))
        finally:
            flight.answer.cancel()  # does nothing to a result; without one, those who wait compute for themselves
            del self._flights[place]

    @asynccontextmanager
    async def changing(self) -> AsyncIterator[None]:
        """Commit inside. A read that starts after this finds no answer from before. Redis never makes this raise."""
        mark = secrets.token_hex(8)
        await self._tell(MARK, mark, int(MARK_SECONDS * 1000))
        try:
            yield
        finally:
            await self._settle(mark)

    async def stats(self) -> dict[str, dict[str, int]]:
        """By namespace: hits, misses, bypasses, stale_serves, bytes_written, bytes_stored.

        Since Redis was last emptied, over all processes; what another one counted since it last stored is missing.
        A stale serve is an answer that a write overtook while it was computed. Whoever got it had asked before that
        write was answered.
        """
        return {namespace: await self._numbers(namespace) for namespace in self._unsaved}

    async def _find(self, place: str) -> "_Found | None":
        """What Redis knows of this place; None when the cache is not to be used."""
        if self._debts:
            await self._settle("")
            if self._debts:
                return None
        keys = self._keys.generation, self._keys.marks, place, self._keys.lease(place)
        try:
            for _ in range(_TRIES):
                try:
                    found = await self._redis.evalsha(self._look_up_sha, len(keys), *keys, self._lease, _LEASE_MS)
                except NoScriptError:
                    await self._begin()
                else:
                    return None if found[0] is None else _Found(*found)
        except (RedisError, OSError):
            pass
        return None

    async def _begin(self) -> None:
        """A first generation for a Redis that has just started or been emptied: one process makes it, others wait."""
        if not await self._redis.set(self._keys.beginning, "1", nx=True, px=_TRIES * int(_POLL_SECONDS * 1000)):
            await asyncio.sleep(_POLL_SECONDS)
            return
        is_known = (await self._redis.script_exists(self._look_up_sha))[0]
        await self._redis.set(self._keys.generation, secrets.token_hex(8), nx=bool(is_known))
        await self._redis.script_load(self._look_up)
        await self._redis.delete(self._keys.beginning)

    async def _fly(self, flight: "_Flight", ttl: float, compute: Compute, *, has_lease: bool) -> Served:
        """Compute for all readers in all processes, unless another process is about to."""
        if not has_lease and (answer := await self._agree(flight)) is not None:
            flight.answer.set_result(answer)
            return Served(answer, "fwd=uri-miss; collapsed")
        stored = False
        try:
            answer = await compute()
            flight.answer.set_result(answer)
            stored = len(answer) <= MAX_BYTES and await self._store(flight, answer, ttl)
        finally:
            if not stored:
                await self._quietly(self._redis.eval(RELEASE, 1, self._keys.lease(flight.place), self._lease))
        return Served(answer, "fwd=uri-miss; stored" if stored else "fwd=uri-miss")

    async def _agree(self, flight: "_Flight") -> bytes | None:
        """What another process has computed; None when it is for us: we have the lease, or have waited long enough."""
        deadline = time.monotonic() + LEASE_SECONDS
        keys = flight.place, self._keys.lease(flight.place)
        while time.monotonic() < deadline:
            told = await self._quietly(self._redis.eval(TAKE, 2, *keys, self._lease, _LEASE_MS))
            if told is None:  # without Redis, nobody can be waited for
                break
            answer: bytes | None
            answer, is_ours = told
            if answer is not None or is_ours:
                return answer
            await asyncio.sleep(_POLL_SECONDS)
        return None

    async def _store(self, flight: "_Flight", answer: bytes, ttl: float) -> bool:
        """Store the answer, unless a write has overtaken it; give back the lease; save what was counted."""
        namespace = flight.namespace
        unsaved, self._unsaved[namespace] = self._unsaved[namespace], Counter()
        keys = [
            *(flight.place, self._keys.lease(flight.place), self._keys.generation),
            *(self._keys.counts(namespace), self._keys.ledger(namespace)),
        ]
        spread = random.uniform(1 - _JITTER, 1 + _JITTER)  # noqa: S311 - so that not all expire at once
        arguments: list[bytes | str | int] = [answer, int(ttl * 1000 * spread), self._lease, flight.generation]
        counted = [each for pair in unsaved.items() for each in pair]
        told = await self._quietly(self._redis.eval(STORE, len(keys), *keys, *arguments, *counted))
        if told is None:
            self._unsaved[namespace] += unsaved
            return False
        is_current, stored_bytes = told
        _STORED.labels(namespace).set(stored_bytes)
        if is_current:
            self._count(namespace, bytes_written=len(answer))
        else:
            self._count(namespace, stale_serves=flight.readers)
        return bool(is_current)

    async def _settle(self, mark: str) -> None:
        """Take the mark away and make a new generation, which also pays for what Redis was not told before."""
        debts = self._debts
        if not await self._tell(UNMARK, mark, secrets.token_hex(8)):
            self._debts += 1
        elif self._debts == debts:  # a debt made while this was on its way may be about a later commit
            self._debts = 0

    async def _tell(self, script: str, *arguments: str | int) -> bool:
        done = self._redis.eval(script + "return 1", 2, self._keys.generation, self._keys.marks, *arguments)
        return await self._quietly(done) is not None

    async def _quietly(self, asked: Awaitable[Any], otherwise: Any = None) -> Any:
        """What Redis says, or `otherwise` when it does not answer."""
        try:
            return await asked
        except (RedisError, OSError) as exc:
            log.warning("the cache did without Redis", error=repr(exc))
            return otherwise

    def _count(self, namespace: str, **numbers: int) -> None:
        for name, number in numbers.items():
            self._unsaved[namespace][name] += number
            metric = _WRITTEN.labels(namespace) if name == "bytes_written" else _READS.labels(namespace, name)
            metric.inc(number)

    async def _numbers(self, namespace: str) -> dict[str, int]:
        saved: dict[bytes, bytes] = await self._quietly(self._redis.hgetall(self._keys.counts(namespace)), otherwise={})
        ledger: dict[bytes, bytes] = await self._quietly(
            self._redis.hgetall(self._keys.ledger(namespace)), otherwise={}
        )
        now, _ = await self._quietly(self._redis.time(), otherwise=(0, 0))
        counts = {name: int(saved.get(name.encode(), 0)) + self._unsaved[namespace][name] for name in _COUNTED}
        return {**counts, "bytes_stored": sum(int(size) for second, size in ledger.items() if int(second) >= now)}


class _Found(NamedTuple):
    """What `LOOK_UP` answers."""

    generation: bytes
    answer: bytes | None
    milliseconds: int
    """That are left of the answer."""
    is_leased: int
    """To us, to compute it."""


class _Flight:
    """An answer being computed: by this process or another, for all its readers here."""

    def __init__(self, namespace: str, place: str, generation: str) -> None:
        self.namespace, self.place, self.generation = namespace, place, generation
        self.answer: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()
        self.readers = 1
