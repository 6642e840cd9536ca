"""The cache can do without Redis, and is true again once Redis is back."""

import asyncio
import signal
import time
from urllib.parse import urlsplit

from nexus_kit.disposable import DisposableRedis

from tests.kit.caching import Link, Source, cache_on, read
from tests.servers import running_valkey


async def test_a_redis_that_dies_is_not_missed() -> None:
    source = Source()
    with running_valkey() as (url, process):
        async with DisposableRedis.connect(f"{url}/0") as redis:
            cache = cache_on(redis)
            assert await read(cache, "a", source.read) == b"0"

            process.kill()
            process.wait()
            await source.write(cache)
            answers = [await read(cache, "a", source.read) for _ in range(10)]

    assert answers == [b"1"] * 10


async def test_a_redis_that_hangs_is_waited_for_once_and_not_by_each_reader() -> None:
    source = Source()
    with running_valkey() as (url, process):
        async with DisposableRedis.connect(f"{url}/0") as redis:
            cache = cache_on(redis)
            process.send_signal(signal.SIGSTOP)
            await read(cache, "a", source.read)

            started = time.monotonic()
            await asyncio.gather(*(read(cache, "a", source.read) for _ in range(100)))
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
        cache = cache_on(linked)
        await read(cache, "a", source.read)
        link.cut()
        await source.write(cache)
        during = await read(cache, "a", source.read)
        await link.mend()
        await asyncio.sleep(1.1)

        after = [await read(cache, "a", source.read) for _ in range(3)]

    assert during == b"1"
    assert after == [b"1"] * 3
    assert source.asked == 3, "the cache was not used again"


async def test_a_restarted_redis_that_forgot_the_last_invalidation_serves_nothing_old(redis: DisposableRedis) -> None:
    before, source = cache_on(redis), Source()
    await read(before, "a", source.read)
    source.number += 1  # a write whose bump was in the second that the server lost
    await redis.script_flush()  # what a restart does: the data are back, the scripts are not

    assert await read(cache_on(redis), "a", source.read) == b"1"


async def test_an_emptied_redis_begins_a_generation_that_never_was(redis: DisposableRedis) -> None:
    cache, source, generations = cache_on(redis), Source(), set()
    for _ in range(3):
        await redis.flushdb()
        await read(cache, "a", source.read)
        generations.add(await redis.get("nexus:{jars}:cache:generation"))

    assert len(generations) == 3


async def test_a_full_redis_gives_what_it_holds_and_still_agrees_on_who_computes() -> None:
    source = Source()
    with running_valkey() as (url, _):
        async with DisposableRedis.connect(f"{url}/0") as redis:
            cache, other = cache_on(redis), cache_on(redis)
            await read(cache, "a", source.read)
            await redis.config_set("maxmemory", 1)

            held = await cache.get_or_compute("pages", "a", 60, source.read)
            new = await asyncio.gather(*(each.get_or_compute("pages", "b", 60, source.read) for each in (cache, other)))

    assert held.status.startswith("hit")
    assert [each.answer for each in new] == [b"0", b"0"]
    assert "fwd=bypass" not in {each.status for each in new}


async def test_readers_who_cannot_use_redis_are_counted(redis: DisposableRedis) -> None:
    source = Source()
    with running_valkey() as (url, process):
        async with DisposableRedis.connect(f"{url}/0") as lost:
            cache = cache_on(lost)
            process.kill()
            process.wait()
            await asyncio.gather(*(read(cache, "a", source.read) for _ in range(5)))

            stats = await cache.stats()

    assert stats["pages"]["bypasses"] == 5
    assert stats["pages"]["misses"] == 0
