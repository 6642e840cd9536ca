"""Whoever asks after a change was answered sees that change: signed in or not, through every cache on the way."""

import asyncio
import itertools
from collections import Counter
from collections.abc import Awaitable, Callable

from tests.actors import Actor, succeeded
from tests.suite import Suite

READERS = 50
WRITES = 25


class Watch:
    """What readers must see at least, and where their answers came from."""

    def __init__(self, listings: list[str]) -> None:
        self.listings = listings
        self.answered = dict.fromkeys(listings, 0)
        """The number in each title that a host was told is there."""
        self.caches = Counter[str]()
        self.over = False

    async def write(self, host: Actor, listing: str) -> None:
        """Change the title as long as the watch goes on, and at least so many times."""
        etag = (await host.call("GET", f"/listings/{listing}")).headers["ETag"]
        for number in itertools.count(1):
            if self.over and number > WRITES:
                break
            answer = await host.call(
                "PATCH", f"/listings/{listing}", json={"title": str(number)}, headers={"If-Match": etag}
            )
            succeeded(answer)
            self.answered[listing], etag = number, answer.headers["ETag"]
            await asyncio.sleep(0.1)

    async def read(self, reader: Actor, host_id: str, writing: asyncio.Future[list[None]]) -> None:
        """Look at the search and at the listings in turn."""
        for listing in itertools.cycle(self.listings):
            if writing.done():
                break
            for path in (f"/listings?host_id={host_id}", f"/listings/{listing}"):
                promised = dict(self.answered)
                answer = await reader.call("GET", path)
                shown = succeeded(answer)
                for each in shown.get("items", [shown]):
                    assert int(each["title"]) >= promised[each["id"]], (path, answer.headers["Cache-Status"])
                for cache in answer.headers["Cache-Status"].split(", "):
                    self.caches[cache.split("; ttl")[0]] += 1


async def watch(host: Actor, readers: list[Actor], meanwhile: Callable[[], Awaitable[None]]) -> Counter[str]:
    """Read and write while something happens; returns what the caches said they did."""
    published = [await host.publish_listing(title="0") for _ in range(4)]
    watch = Watch([each["id"] for each in published])
    host_id = published[0]["host_id"]
    writing = asyncio.gather(*(watch.write(host, each) for each in watch.listings))
    reading = asyncio.gather(
        *(
            watch.read(reader, host_id, writing)
            for reader, _ in zip(itertools.cycle(readers), range(READERS), strict=False)
        )
    )

    async def until_over() -> None:
        await meanwhile()
        watch.over = True

    await asyncio.gather(until_over(), writing, reading)
    return watch.caches


async def nothing() -> None:
    """Happens."""


async def test_fifty_readers_never_see_a_page_from_before_an_answered_change(
    anybody: Actor, guest: Actor, host: Actor
) -> None:
    caches = await watch(host, [anybody, guest], nothing)

    assert caches["nexus-gateway; hit"] > 0
    assert caches["nexus-listings; hit"] > 0


async def test_not_even_while_the_cache_is_killed_and_comes_back(
    suite: Suite, anybody: Actor, guest: Actor, host: Actor
) -> None:
    async def kill() -> None:
        for _ in range(2):
            await asyncio.sleep(1)
            restarts = await asyncio.to_thread(suite.kill, "valkey")
            await asyncio.to_thread(suite.await_recovery, "valkey", restarts)
            await asyncio.sleep(3)

    caches = await watch(host, [anybody, guest], kill)

    assert caches["nexus-listings; hit"] > 0
    assert caches["nexus-listings; fwd=bypass"] > 0
