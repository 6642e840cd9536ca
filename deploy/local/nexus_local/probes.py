"""How to tell that a process is ready for work, without a client library for each protocol.

The topology names a probe per process; the supervisor and `nexus status` ask it.
"""

import asyncio
import struct
from collections.abc import Awaitable, Callable
from contextlib import suppress

Probe = Callable[[], Awaitable[bool]]

TIMEOUT_SECONDS = 2.0


def http_ok(port: int, path: str) -> Probe:
    """Answers `GET path` with 200."""
    request = f"GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
    return _conversation(port, request.encode(), b"HTTP/1.1 200 ")


def accepts(port: int) -> Probe:
    """Accepts a TCP connection."""
    return _conversation(port, b"", b"")


def pongs(port: int, password: str) -> Probe:
    """A Valkey that has loaded its data: until then it answers PING with an error."""
    return _conversation(port, f"AUTH {password}\r\nPING\r\n".encode(), b"+OK\r\n+PONG\r\n")


def accepts_logins(port: int) -> Probe:
    """A PostgreSQL that has recovered: it then asks (`R`) for a password, before that it sends an error (`E`)."""
    parameters = b"user\0postgres\0database\0postgres\0\0"
    protocol_3_0 = 3 << 16
    return _conversation(port, struct.pack("!ii", 8 + len(parameters), protocol_3_0) + parameters, b"R")


def _conversation(port: int, say: bytes, expect: bytes) -> Probe:
    async def converse() -> bool:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        try:
            writer.write(say)
            return await reader.readexactly(len(expect)) == expect
        finally:
            writer.close()

    async def probe() -> bool:
        with suppress(OSError, EOFError, TimeoutError):
            async with asyncio.timeout(TIMEOUT_SECONDS):
                return await converse()
        return False

    return probe
