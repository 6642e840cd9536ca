"""The cache answers from Redis, but never with what a finished write has made untrue, and can do without Redis."""

import asyncio
import contextlib
import random
import signal
import time
from collections.abc import Awaitable, Callable
from typing import Self
from urllib.parse import urlsplit

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from nexus_kit import cache as cache_module
from nexus_kit.cache import Cache
from nexus_kit.disposable import DisposableRedis

from tests.servers import free_port, running_valkey


class Source:
    """What is cached: a number, which a write makes larger. It remembers how often it was asked."""

    def __init__(self) -> None:
        self.number = 0
        self.asked = 0

    async def read(self) -> bytes:
        self.asked += 1
        number = self.number  # a transaction sees what was committed when it began ...
        await asyncio.sleep(random.uniform(0, 0.003))  # ... and may take long to say so
        return str(number).encode()

    async def write(self, cache: Cache) -> int:
        """Commit, invalidate, answer: the order that every write of a service follows."""
        self.number += 1
        committed = self.number
        await cache.invalidate("pages")
        return committed


class Link:
    """A wire to a server, which can be cut and mended while the server itself lives on."""

    def __init__(self, host: str, port: int) -> None:
        self.port = free_port()
        self._target = host, port
        self._writers: list[asyncio.StreamWriter] = []

    async def __aenter__(self) -> Self:
        await self.mend()
        return self

    async def __aexit__(self, *_: object) -> None:
        self.cut()

    async def mend(self) -> None:
        self._server = await asyncio.start_server(self._connect, "127.0.0.1", self.port)

    def cut(self) -> None:
        self._server.close()
        for writer in self._writers:
            writer.close()

    async def _connect(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        server_reader, server_writer = await asyncio.open_connection(*self._target)
        self._writers += [writer, server_writer]
        await asyncio.gather(self._copy(reader, server_writer), self._copy(server_reader, writer))

    async def _copy(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):
            while data := await reader.read(65536):
                writer.write(data)
        writer.close()


async def test_the_second_read_is_answered_from_the_cache(redis: DisposableRedis) -> None:
    cache, source = Cache(redis), Source()
    await cache.get_or_compute("pages", "a", 60, source.read)

    again = await cache.get_or_compute("pages", "a", 60, source.read)

    assert again == b"0"
    assert source.asked == 1


async def test_one_key_is_never_answered_with_another(redis: DisposableRedis) -> None:
    cache = Cache(redis)
    await cache.get_or_compute("pages", "a", 60, _answering(b"a"))

    answers = [
        await cache.get_or_compute("pages", "b", 60, _answering(b"b")),
        await cache.get_or_compute("other pages", "a", 60, _answering(b"c")),
    ]

    assert answers == [b"b", b"c"]


async def test_a_write_puts_every_older_answer_of_its_namespace_out_of_reach(redis: DisposableRedis) -> None:
    cache, source = Cache(redis), Source()
    await cache.get_or_compute("pages", "a", 60, source.read)
    await cache.get_or_compute("other", "a", 60, _answering(b"kept"))

    await source.write(cache)

    assert await cache.get_or_compute("pages", "a", 60, source.read) == b"1"
    assert await cache.get_or_compute("other", "a", 60, _answering(b"new")) == b"kept"


async def test_an_answer_that_was_being_computed_during_a_write_is_not_kept(redis: DisposableRedis) -> None:
    cache, source = Cache(redis), Source()

    async def overtaken() -> bytes:
        answer = await source.read()
        await source.write(cache)
        return answer

    assert await cache.get_or_compute("pages", "a", 60, overtaken) == b"0"

    assert await cache.get_or_compute("pages", "a", 60, source.read) == b"1"


async def test_no_reader_sees_a_page_older_than_the_last_write_answered_before_it_asked(redis: DisposableRedis) -> None:
    processes, source = [Cache(redis), Cache(redis)], Source()
    answered = 0
    stale: list[tuple[int, int]] = []

    async def read_on(cache: Cache) -> None:
        for _ in range(40):
            promised = answered
            seen = int(await cache.get_or_compute("pages", random.choice("ab"), 60, source.read))
            if seen < promised:
                stale.append((promised, seen))

    async def write_on(cache: Cache) -> None:
        nonlocal answered
        for _ in range(40):
            answered = max(answered, await source.write(cache))
            await asyncio.sleep(random.uniform(0, 0.005))

    await asyncio.gather(*(read_on(processes[i % 2]) for i in range(50)), *(write_on(each) for each in processes))

    assert stale == []
    assert source.asked < 50 * 40, "nothing was cached at all"


@given(st.lists(st.sampled_from(["read a", "read b", "write", "forget"]), max_size=30))
@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
async def test_reads_always_agree_with_the_source(redis: DisposableRedis, steps: list[str]) -> None:
    cache, source = Cache(redis), Source()
    await redis.flushdb()

    for step in steps:
        if step == "write":
            await source.write(cache)
        elif step == "forget":
            await redis.flushdb()
        else:
            assert int(await cache.get_or_compute("pages", step, 60, source.read)) == source.number


async def test_a_stampede_computes_once(redis: DisposableRedis) -> None:
    cache, source = Cache(redis), Source()

    answers = await asyncio.gather(*(cache.get_or_compute("pages", "a", 60, source.read) for _ in range(100)))

    assert answers == [b"0"] * 100
    assert source.asked == 1


async def test_when_the_one_who_computes_fails_those_who_wait_compute_for_themselves(redis: DisposableRedis) -> None:
    cache = Cache(redis)

    async def fail() -> bytes:
        await asyncio.sleep(0.05)
        raise LookupError

    first = asyncio.create_task(cache.get_or_compute("pages", "a", 60, fail))
    await asyncio.sleep(0.02)
    second = asyncio.create_task(cache.get_or_compute("pages", "a", 60, _answering(b"fine")))

    assert await second == b"fine"
    with pytest.raises(LookupError):
        await first


async def test_answers_expire_within_a_tenth_of_their_time_to_live(redis: DisposableRedis) -> None:
    cache = Cache(redis)
    for number in range(20):
        await cache.get_or_compute("pages", str(number), 60, _answering(b"x"))

    lives = [await redis.pttl(key) async for key in redis.scan_iter("nexus:{pages}:cache:*:*")]

    assert len(lives) == 20
    assert all(53_000 < life <= 66_000 for life in lives)
    assert len(set(lives)) > 10, "they would all expire at once"


async def test_an_answer_that_is_too_large_is_given_but_not_stored(redis: DisposableRedis) -> None:
    cache = Cache(redis)
    large = b"x" * (cache_module.MAX_BYTES + 1)

    assert await cache.get_or_compute("pages", "a", 60, _answering(large)) == large

    assert [key async for key in redis.scan_iter("nexus:{pages}:cache:*:*")] == []


async def test_the_statistics_sum_over_processes(redis: DisposableRedis) -> None:
    first, second = Cache(redis), Cache(redis)
    await first.get_or_compute("pages", "a", 60, _answering(b"x"))
    await first.get_or_compute("pages", "a", 60, _answering(b"x"))
    await second.get_or_compute("pages", "a", 60, _answering(b"x"))
    await first.get_or_compute("pages", "b", 60, _answering(b"x"))

    stats = await second.stats()

    assert stats == {
        "hits": 2,
        "misses": 2,
        "hit_ratio": 0.5,
        "namespaces": {"pages": {"hits": 2, "misses": 2, "hit_ratio": 0.5}},
    }


async def test_a_redis_that_dies_is_not_missed() -> None:
    source = Source()
    with running_valkey() as (url, process):
        async with DisposableRedis.connect(f"{url}/0") as redis:
            cache = Cache(redis)
            assert await cache.get_or_compute("pages", "a", 60, source.read) == b"0"

            process.kill()
            process.wait()
            await source.write(cache)
            answers = [await cache.get_or_compute("pages", "a", 60, source.read) for _ in range(10)]

    assert answers == [b"1"] * 10


async def test_a_redis_that_hangs_is_waited_for_once_and_not_by_each_reader() -> None:
    source = Source()
    with running_valkey() as (url, process):
        async with DisposableRedis.connect(f"{url}/0") as redis:
            cache = Cache(redis)
            process.send_signal(signal.SIGSTOP)
            await cache.get_or_compute("pages", "a", 60, source.read)

            started = time.monotonic()
            await asyncio.gather(*(cache.get_or_compute("pages", "a", 60, source.read) for _ in range(100)))
            process.send_signal(signal.SIGCONT)

    assert time.monotonic() - started < 0.5


async def test_a_write_while_redis_is_out_of_reach_is_made_good_before_the_cache_is_used_again(
    redis_url: str, redis: DisposableRedis
) -> None:
    source, address = Source(), urlsplit(redis_url)
    async with (
        Link(address.hostname or "", address.port or 0) as link,
        DisposableRedis.connect(f"redis://:{address.password}@127.0.0.1:{link.port}/15") as linked,
    ):
        cache = Cache(linked)
        await cache.get_or_compute("pages", "a", 60, source.read)
        link.cut()
        await source.write(cache)
        during = await cache.get_or_compute("pages", "a", 60, source.read)
        await link.mend()
        await asyncio.sleep(1.1)

        after = [await cache.get_or_compute("pages", "a", 60, source.read) for _ in range(3)]

    assert during == b"1"
    assert after == [b"1"] * 3
    assert source.asked == 3, "the cache was not used again"


async def test_a_restarted_redis_that_forgot_the_last_invalidation_serves_nothing_old(redis: DisposableRedis) -> None:
    before, source = Cache(redis), Source()
    await before.get_or_compute("pages", "a", 60, source.read)
    source.number += 1  # a write whose bump was in the second that the server lost
    await redis.script_flush()  # what a restart does: the data are back, the scripts are not

    assert await Cache(redis).get_or_compute("pages", "a", 60, source.read) == b"1"


def _answering(answer: bytes) -> Callable[[], Awaitable[bytes]]:
    async def compute() -> bytes:
        return answer

    return compute
