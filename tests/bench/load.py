"""A load generator of one core: keep-alive connections over TLS, each sending a request when its last was answered.

Plain sockets on uvloop, because an HTTP library would measure itself.
"""

import asyncio
import ssl
import time
from urllib.parse import urlsplit

import uvloop

CONNECTIONS = 16
WARM_UP_SECONDS = 1.0


class _Client(asyncio.Protocol):
    def __init__(self, request: bytes) -> None:
        self._request = request
        self._left = 0
        self._head = b""
        self.answered = 0
        self.failed: bytes = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        transport.write(self._request)

    def data_received(self, data: bytes) -> None:
        if self._left == 0:
            self._head += data
            head, separator, body = self._head.partition(b"\r\n\r\n")
            if not separator:
                return
            if not head.startswith(b"HTTP/1.1 200"):
                self.failed = head
                self._transport.close()
                return
            self._head = b""
            self._left = _content_length(head) - len(body)
        else:
            self._left -= len(data)
        if self._left == 0:
            self.answered += 1
            self._transport.write(self._request)


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
    failures = [client.failed for client in clients if client.failed]
    if failures:
        raise RuntimeError(f"{url}: {failures[0].decode(errors='replace')}")
    for client in clients:
        client._transport.abort()
    return answered / elapsed


def _content_length(head: bytes) -> int:
    for line in head.split(b"\r\n"):
        name, _, value = line.partition(b":")
        if name.lower() == b"content-length":
            return int(value)
    raise RuntimeError(f"no Content-Length in {head!r}")
