"""What the tests of the cache share: something to cache, and a wire to Redis that can be cut."""

import asyncio
import contextlib
import random
from collections.abc import Awaitable, Callable
from typing import Self

from nexus_kit.cache import Cache
from redis.asyncio import Redis

from tests.servers import free_port


def cache_on(redis: Redis) -> Cache:
    """What one process has: several on one server are several processes."""
    return Cache(redis, "jars", ["pages", "other"])


async def read(cache: Cache, key: str, compute: Callable[[], Awaitable[bytes]], *, namespace: str = "pages") -> bytes:
    """The answer alone."""
    return (await cache.get_or_compute(namespace, key, 60, compute)).answer


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
        """Commit while the cache knows, then answer: the order that every write of a service follows."""
        async with cache.changing():
            committed = self.number = self.number + 1
        return committed  # not what others have written meanwhile


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


def answering(answer: bytes) -> Callable[[], Awaitable[bytes]]:
    """Computes this."""

    async def compute() -> bytes:
        return answer

    return compute
