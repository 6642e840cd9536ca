"""A load generator of one core: keep-alive connections over TLS, each sending a request when its last was answered.

Plain sockets on uvloop, because an HTTP library would measure itself.
"""

import asyncio
import ssl
import time
from typing import cast
from urllib.parse import urlsplit

import httptools
import uvloop

CONNECTIONS = 16
WARM_UP_SECONDS = 1.0


class _Client(asyncio.Protocol):
    """One connection. `HttpResponseParser` calls `on_message_complete` when an answer is whole."""

    def __init__(self, request: bytes) -> None:
        self._request = request
        self._parser = httptools.HttpResponseParser(self)
        self.answered = 0
        self.refused = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.Transport", transport)  # uvloop's is one in all but name
        self.transport.write(self._request)

    def data_received(self, data: bytes) -> None:
        self._parser.feed_data(data)

    def on_message_complete(self) -> None:
        if self._parser.get_status_code() != 200:
            self.refused = self._parser.get_status_code()
            self.transport.close()
            return
        self.answered += 1
        self.transport.write(self._request)


def requests_per_second(url: str, ca: str, headers: dict[str, str], seconds: float) -> float:
    """How many requests per second `url` answers with 200. Raises when any answer is something else."""
    return uvloop.run(_run(url, ssl.create_default_context(cafile=ca), headers, seconds))


async def _run(url: str, tls: ssl.SSLContext, headers: dict[str, str], seconds: float) -> float:
    parts = urlsplit(url)
    target = parts.path + (f"?{parts.query}" if parts.query else "")
    lines = [
        f"GET {target} HTTP/1.1",
        f"Host: {parts.netloc}",
        *(f"{name}: {value}" for name, value in headers.items()),
    ]
    request = "\r\n".join([*lines, "", ""]).encode()
    assert parts.hostname
    assert parts.port
    loop = asyncio.get_running_loop()
    clients = [
        (await loop.create_connection(lambda: _Client(request), parts.hostname, parts.port, ssl=tls))[1]
        for _ in range(CONNECTIONS)
    ]
    await asyncio.sleep(WARM_UP_SECONDS)
    before, started = sum(client.answered for client in clients), time.perf_counter()
    await asyncio.sleep(seconds)
    answered, elapsed = sum(client.answered for client in clients) - before, time.perf_counter() - started
    refused = {client.refused for client in clients} - {0}
    if refused or not answered:
        raise RuntimeError(f"{url} answers {refused or 'nothing'}")
    for client in clients:
        client.transport.abort()
    return answered / elapsed
