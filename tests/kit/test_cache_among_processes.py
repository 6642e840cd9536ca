"""Several processes share one cache: one of them computes for all, and none is hurt when another is killed."""

import asyncio
import json
import sys
import time
from uuid import uuid4

from nexus_kit import cache as cache_module
from nexus_kit.disposable import DisposableRedis
from nexus_kit.testing import Service
from sqlalchemy import select

from tests.kit.caching import answering, cache_on, read
from tests.kit.jars import Jar


async def process(redis_url: str, what: str, *arguments: str) -> asyncio.subprocess.Process:
    """One of `cache_process.py`."""
    command = sys.executable, "-m", "tests.kit.cache_process", what, f"{redis_url}/15", *arguments
    return await asyncio.create_subprocess_exec(*command, stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE)


async def test_two_hundred_readers_in_four_processes_compute_once(redis_url: str, redis: DisposableRedis) -> None:
    processes = [await process(redis_url, "read", "50") for _ in range(4)]
    for each in processes:
        assert each.stdout
        assert await each.stdout.readline() == b"ready\n"

    told = await asyncio.gather(*(each.communicate(b"go\n") for each in processes))

    answers = {answer for output, _ in told for answer in json.loads(output)["answers"]}
    assert answers == {"1"}
    assert await redis.get("computed") == b"1"


async def test_caches_on_different_connections_agree_on_who_computes(redis_url: str, redis: DisposableRedis) -> None:
    others = [DisposableRedis.connect(f"{redis_url}/15") for _ in range(4)]
    computed = 0

    async def compute() -> bytes:
        nonlocal computed
        computed += 1
        await asyncio.sleep(0.05)
        return b"x"

    caches = [cache_on(each) for each in others]
    answers = await asyncio.gather(*(read(caches[number % 4], "a", compute) for number in range(200)))
    for each in others:
        await each.aclose()

    assert answers == [b"x"] * 200
    assert computed == 1


async def test_one_who_is_killed_while_computing_delays_the_others_by_the_lease_at_most(
    redis_url: str, redis: DisposableRedis
) -> None:
    dying = await process(redis_url, "die-computing")
    assert await dying.wait() == -9
    started = time.monotonic()

    answers = await asyncio.gather(*(read(cache_on(redis), "a", answering(b"fine")) for _ in range(20)))

    assert answers == [b"fine"] * 20
    assert time.monotonic() - started < cache_module.LEASE_SECONDS + 0.5


async def test_one_who_fails_delays_nobody(redis: DisposableRedis) -> None:
    async def fail() -> bytes:
        await asyncio.sleep(0.05)
        raise LookupError

    failing = asyncio.create_task(read(cache_on(redis), "a", fail))
    await asyncio.sleep(0.02)
    started = time.monotonic()
    answer = await read(cache_on(redis), "a", answering(b"fine"))

    assert answer == b"fine"
    assert time.monotonic() - started < cache_module.LEASE_SECONDS / 2
    assert isinstance((await asyncio.gather(failing, return_exceptions=True))[0], LookupError)


async def test_one_who_takes_longer_than_the_lease_is_not_waited_for(redis: DisposableRedis) -> None:
    async def slowly() -> bytes:
        await asyncio.sleep(3 * cache_module.LEASE_SECONDS)
        return b"late"

    slow = asyncio.create_task(read(cache_on(redis), "a", slowly))
    await asyncio.sleep(0.05)
    started = time.monotonic()

    assert await read(cache_on(redis), "a", answering(b"fine")) == b"fine"

    assert time.monotonic() - started < cache_module.LEASE_SECONDS + 0.5
    assert await slow == b"late"


async def test_one_who_is_killed_between_its_commit_and_telling_the_cache_leaves_no_old_page(
    service: Service, redis_url: str, redis: DisposableRedis
) -> None:
    await service.clean()
    async with service.database.unit_of_work() as session:
        session.add(Jar(owner_id=uuid4(), label="old"))

    async def label() -> bytes:
        async with service.database.unit_of_work() as session:
            return (await session.scalars(select(Jar.label))).one().encode()

    cache = cache_on(redis)
    assert await read(cache, "a", label) == b"old"
    database_url = service.database.engine.url.render_as_string(hide_password=False)
    dying = await process(redis_url, "die-committing", database_url)
    assert await dying.wait() == -9

    at_once = await cache.get_or_compute("pages", "a", 60, label)
    await asyncio.sleep(cache_module.MARK_SECONDS + 0.2)
    later = [await cache.get_or_compute("pages", "a", 60, label) for _ in range(2)]

    assert at_once == (b"new", "fwd=bypass")
    assert [each.answer for each in later] == [b"new"] * 2
    assert [each.status.split(";")[0] for each in later] == ["fwd=uri-miss", "hit"]
