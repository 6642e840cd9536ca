"""A load generator of one core: keep-alive connections over TLS, each sending a request when its last was answered.

Plain sockets on uvloop, because an HTTP library would measure itself.
"""

import asyncio
import itertools
import ssl
from collections.abc import Callable, Iterator
from typing import cast
from urllib.parse import urlsplit

import httptools
import uvloop

CONNECTIONS = 16
WARM_UP_SECONDS = 1.0

_never_asked = itertools.count(1_000_000)


class _Client(asyncio.Protocol):
    """One connection. `HttpResponseParser` calls `on_message_complete` when an answer is whole."""

    def __init__(self, requests: Iterator[bytes]) -> None:
        self._requests = requests
        self._parser = httptools.HttpResponseParser(self)
        self.answered = 0
        self.refused = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.Transport", transport)  # uvloop's is one in all but name
        self.transport.write(next(self._requests))

    def data_received(self, data: bytes) -> None:
        self._parser.feed_data(data)

    def on_message_complete(self) -> None:
        if self._parser.get_status_code() != 200:
            self.refused = self._parser.get_status_code()
            self.transport.close()
            return
        self.answered += 1
        self.transport.write(next(self._requests))


def requests_per(clock: Callable[[], float], url: str, ca: str, headers: dict[str, str], seconds: float) -> float:
    """How many requests `url` answers with 200 while the clock goes on by one. Raises when it answers anything else.

    `{n}` in the URL is a number never used before: a page that no cache knows.
    """
    return uvloop.run(_run(clock, url, ssl.create_default_context(cafile=ca), headers, seconds))


async def _run(
    clock: Callable[[], float], url: str, tls: ssl.SSLContext, headers: dict[str, str], seconds: float
) -> float:
    parts = urlsplit(url)
    assert parts.hostname
    assert parts.port
    loop = asyncio.get_running_loop()
    clients = [
        (await loop.create_connection(lambda: _Client(_requests(url, headers)), parts.hostname, parts.port, ssl=tls))[1]
        for _ in range(CONNECTIONS)
    ]
    await asyncio.sleep(WARM_UP_SECONDS)
    before, started = sum(client.answered for client in clients), clock()
    await asyncio.sleep(seconds)
    answered, passed = sum(client.answered for client in clients) - before, clock() - started
    refused = {client.refused for client in clients} - {0}
    if refused or not answered:
        raise RuntimeError(f"{url} answers {refused or 'nothing'}")
    for client in clients:
        client.transport.abort()
    return answered / passed


def _requests(url: str, headers: dict[str, str]) -> Iterator[bytes]:
    parts = urlsplit(url)
    target = parts.path + (f"?{parts.query}" if parts.query else "")
    lines = [
        f"GET {target} HTTP/1.1",
        f"Host: {parts.netloc}",
        *(f"{name}: {value}" for name, value in headers.items()),
    ]
    request = "\r\n".join([*lines, "", ""]).encode()
    if "{n}" not in target:
        return itertools.repeat(request)
    return (request.replace(b"{n}", b"%d" % number) for number in _never_asked)
