"""The cache answers from Redis, but never with what a finished write has made untrue."""

import asyncio
import random
import re
import time

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from nexus_kit import cache as cache_module
from nexus_kit.cache import Cache
from nexus_kit.disposable import DisposableRedis

from tests.kit.caching import Source, answering, cache_on, read


async def test_the_second_read_is_answered_from_the_cache(redis: DisposableRedis) -> None:
    cache, source = cache_on(redis), Source()
    await read(cache, "a", source.read)

    again = await read(cache, "a", source.read)

    assert again == b"0"
    assert source.asked == 1


async def test_one_key_is_never_answered_with_another(redis: DisposableRedis) -> None:
    cache = cache_on(redis)
    await read(cache, "a", answering(b"a"))

    answers = [
        await read(cache, "b", answering(b"b")),
        await read(cache, "a", answering(b"c"), namespace="other"),
    ]

    assert answers == [b"b", b"c"]


async def test_a_write_puts_every_older_answer_out_of_reach(redis: DisposableRedis) -> None:
    cache, source = cache_on(redis), Source()
    await read(cache, "a", source.read)
    await read(cache, "a", answering(b"old"), namespace="other")

    await source.write(cache)

    assert await read(cache, "a", source.read) == b"1"
    assert await read(cache, "a", answering(b"new"), namespace="other") == b"new"


async def test_an_answer_that_was_being_computed_during_a_write_is_not_kept(redis: DisposableRedis) -> None:
    cache, source = cache_on(redis), Source()

    async def overtaken() -> bytes:
        answer = await source.read()
        await source.write(cache)
        return answer

    assert await read(cache, "a", overtaken) == b"0"

    assert await read(cache, "a", source.read) == b"1"


async def test_no_reader_sees_a_page_older_than_the_last_write_answered_before_it_asked(redis: DisposableRedis) -> None:
    processes, source = [cache_on(redis), cache_on(redis)], Source()
    answered = 0
    stale: list[tuple[int, int]] = []

    async def read_on(cache: Cache) -> None:
        for _ in range(40):
            promised = answered
            seen = int(await read(cache, random.choice("ab"), source.read))
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
    cache, source = cache_on(redis), Source()
    await redis.flushdb()

    for step in steps:
        if step == "write":
            await source.write(cache)
        elif step == "forget":
            await redis.flushdb()
        else:
            assert int(await read(cache, step, source.read)) == source.number


async def test_a_stampede_computes_once(redis: DisposableRedis) -> None:
    cache, source = cache_on(redis), Source()

    answers = await asyncio.gather(*(read(cache, "a", source.read) for _ in range(100)))

    assert answers == [b"0"] * 100
    assert source.asked == 1


async def test_readers_of_one_process_never_wait_for_a_lease_that_one_of_them_took(redis: DisposableRedis) -> None:
    cache, started = cache_on(redis), time.monotonic()

    for key in map(str, range(20)):
        await asyncio.gather(*(read(cache, key, answering(b"x")) for _ in range(20)))

    assert time.monotonic() - started < cache_module.LEASE_SECONDS


async def test_when_the_one_who_computes_fails_those_who_wait_compute_for_themselves(redis: DisposableRedis) -> None:
    cache = cache_on(redis)

    async def fail() -> bytes:
        await asyncio.sleep(0.05)
        raise LookupError

    first = asyncio.create_task(read(cache, "a", fail))
    await asyncio.sleep(0.02)
    second = asyncio.create_task(read(cache, "a", answering(b"fine")))

    assert await second == b"fine"
    with pytest.raises(LookupError):
        await first


async def test_answers_expire_within_a_tenth_of_their_time_to_live(redis: DisposableRedis) -> None:
    cache = cache_on(redis)
    for number in range(20):
        await read(cache, str(number), answering(b"x"))

    lives = [await redis.pttl(key) async for key in redis.scan_iter("nexus:{jars}:cache:answer:*")]

    assert len(lives) == 20
    assert all(53_000 < life <= 66_000 for life in lives)
    assert len(set(lives)) > 10, "they would all expire at once"


async def test_an_answer_that_is_too_large_is_given_but_not_stored(redis: DisposableRedis) -> None:
    cache = cache_on(redis)
    large = b"x" * (cache_module.MAX_BYTES + 1)

    assert await read(cache, "a", answering(large)) == large

    assert [key async for key in redis.scan_iter("nexus:{jars}:cache:answer:*")] == []


async def test_an_answer_tells_how_it_came_about(redis: DisposableRedis) -> None:
    cache = cache_on(redis)

    async def compute() -> bytes:
        await asyncio.sleep(0.1)
        return b"x"

    asked = "pages", "a", 60.0, compute
    computed, stored = await cache.get_or_compute(*asked), await cache.get_or_compute(*asked)
    async with cache.changing():
        changing = await cache.get_or_compute(*asked)
    together = await asyncio.gather(cache.get_or_compute(*asked), cache.get_or_compute(*asked))

    assert computed.status == "fwd=uri-miss; stored"
    assert re.fullmatch(r"hit; ttl=(5\d|6[0-6])", stored.status)
    assert changing.status == "fwd=bypass"
    assert {each.status for each in together} == {"fwd=uri-miss; stored", "fwd=uri-miss; collapsed"}


async def test_the_statistics_sum_over_processes(redis: DisposableRedis) -> None:
    first, second = cache_on(redis), cache_on(redis)
    await read(first, "a", answering(b"12345"))
    await read(first, "a", answering(b"12345"))
    await read(second, "a", answering(b"12345"))
    await read(first, "b", answering(b"678"))
    async with first.changing():
        await read(first, "b", answering(b"678"))

    stats = await first.stats()

    nothing = dict.fromkeys(stats["pages"], 0)
    assert stats["other"] == nothing
    # second has counted a hit, and will tell when it stores something
    assert stats["pages"] == nothing | {"hits": 1, "misses": 2, "bypasses": 1, "bytes_written": 8, "bytes_stored": 8}
    await read(second, "c", answering(b"9"))
    assert (await first.stats())["pages"]["hits"] == 2


async def test_the_bytes_of_expired_answers_are_not_counted(redis: DisposableRedis) -> None:
    cache = cache_on(redis)
    await cache.get_or_compute("pages", "a", 0.5, answering(b"12345"))
    before = (await cache.stats())["pages"]

    await asyncio.sleep(2.1)

    after = (await cache.stats())["pages"]
    assert (before["bytes_stored"], after["bytes_stored"], after["bytes_written"]) == (5, 0, 5)


async def test_an_answer_that_a_write_overtakes_counts_as_a_stale_serve_for_each_who_got_it(
    redis: DisposableRedis,
) -> None:
    cache, source, written = cache_on(redis), Source(), asyncio.Event()

    async def slowly() -> bytes:
        answer = await source.read()
        await written.wait()
        return answer

    readers = [asyncio.create_task(read(cache, "a", slowly)) for _ in range(3)]
    async with asyncio.timeout(5):
        while (await cache.stats())["pages"]["misses"] < 3 or not source.asked:
            pass
    await source.write(cache)
    written.set()

    assert await asyncio.gather(*readers) == [b"0"] * 3
    assert await read(cache, "a", source.read) == b"1"
    assert (await cache.stats())["pages"]["stale_serves"] == 3


async def test_a_key_of_somebody_else_is_never_looked_at(redis: DisposableRedis) -> None:
    await redis.set("somebody:else", b"x" * 1000)
    cache = cache_on(redis)
    await read(cache, "a", answering(b"x"))

    assert (await cache.stats())["pages"]["bytes_stored"] == 1
    assert {key.split(b":cache:")[0] async for key in redis.scan_iter()} == {b"nexus:{jars}", b"somebody:else"}
