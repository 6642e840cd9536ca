"""A process of its own for the tests of the cache: `python -m tests.kit.cache_process WHAT CACHE_URL …` prints JSON.

read N                      N readers of one page at once; prints their different answers
die-computing               is killed while it computes the page
die-committing DATABASE_URL  changes a jar's label to "new", and is killed when that is committed
"""

import asyncio
import json
import os
import signal
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from nexus_kit.cache import Cache
from nexus_kit.db import Database, around_commit
from nexus_kit.disposable import DisposableRedis
from sqlalchemy import update

from tests.kit.caching import cache_on, read
from tests.kit.jars import Jar


async def read_at_once(redis: DisposableRedis, readers: int) -> None:
    """Each computation is counted in Redis, whoever makes it."""

    async def compute() -> bytes:
        number = await redis.incr("computed")
        await asyncio.sleep(0.1)
        return str(number).encode()

    cache = cache_on(redis)
    await redis.ping()
    print("ready", flush=True)
    sys.stdin.readline()  # all processes begin together
    started = time.monotonic()
    answers = await asyncio.gather(*(read(cache, "a", compute) for _ in range(readers)))
    print(json.dumps({"answers": sorted({each.decode() for each in answers}), "seconds": time.monotonic() - started}))


async def die_computing(cache: Cache) -> None:
    """With the lease."""

    async def compute() -> bytes:
        os.kill(os.getpid(), signal.SIGKILL)
        return b"never"

    await read(cache, "a", compute)


async def die_committing(cache: Cache, database: Database) -> None:
    """What is entered last is left first: the commit is made, and the cache has not heard of its end."""

    @asynccontextmanager
    async def dying() -> AsyncIterator[None]:
        yield
        os.kill(os.getpid(), signal.SIGKILL)

    async with database.unit_of_work() as session:
        around_commit(session, cache.changing)
        around_commit(session, dying)
        await session.execute(update(Jar).values(label="new"))


async def main(what: str, cache_url: str, *more: str) -> None:
    """Do what is asked."""
    async with DisposableRedis.connect(cache_url) as redis:
        match what:
            case "read":
                await read_at_once(redis, int(more[0]))
            case "die-computing":
                await die_computing(cache_on(redis))
            case "die-committing":
                await die_committing(cache_on(redis), Database(more[0]))


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
