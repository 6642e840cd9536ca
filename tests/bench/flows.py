"""A load generator of bookings: clients who each ask for a quote, book it, and begin again. `booking.py` uses it.

Plain streams on uvloop, as in `load.py`; the same client talks to the suite and to its peer.
"""

import asyncio
import itertools
import json
import ssl
import time
from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import Any
from urllib.parse import urlsplit
from uuid import uuid4

import httptools
import uvloop

PATIENCE_SECONDS = 60
ARRIVAL = date.today() + timedelta(days=10)  # noqa: DTZ011 - a date well ahead in any zone
STAYS_OF_EACH = 200
"""Stays of two nights, one after the other: no two bookings want the same night."""


@dataclass
class Target:
    """Where bookings are made, by whom, and what can still be booked there."""

    base: str
    ca: str | None
    """None: plain HTTP."""
    headers: dict[str, str]
    listings: list[str]
    stays: Iterator[dict[str, Any]] = field(init=False)

    def __post_init__(self) -> None:
        """Each stay is wanted once."""
        self.stays = (
            {
                "listing_id": listing,
                "check_in": (ARRIVAL + timedelta(days=2 * number)).isoformat(),
                "check_out": (ARRIVAL + timedelta(days=2 * number + 2)).isoformat(),
                "guests": 2,
            }
            for number, listing in itertools.product(range(STAYS_OF_EACH), self.listings)
        )


@dataclass(frozen=True)
class Round:
    """How many bookings a second: as their guests saw it, and until everybody who must know of them did."""

    answered: float
    told: float


def book_for(target: Target, clients: int, seconds: float, all_told: Callable[[], Awaitable[bool]]) -> Round:
    """Have so many clients book end to end, a quote and a booking of it. Ends when nothing of it is left to be done."""
    return uvloop.run(_book_for(target, clients, seconds, all_told))


@dataclass(frozen=True)
class Latencies:
    """Milliseconds of each quote, and of each booking."""

    quotes: list[float] = field(default_factory=list)
    bookings: list[float] = field(default_factory=list)


async def milliseconds(targets: Sequence[Target], times: int) -> list[Latencies]:
    """How long one client waits: so many times here, there, and so on, in turn."""
    clients = [await _Client.connect(target) for target in targets]
    found = [Latencies() for _ in targets]
    for _ in range(times):
        for client, latencies in zip(clients, found, strict=True):
            began = time.perf_counter()
            quote = await client.quote()
            quoted = time.perf_counter()
            await client.book(quote["id"])
            latencies.quotes.append((quoted - began) * 1000)
            latencies.bookings.append((time.perf_counter() - quoted) * 1000)
    return found


async def one(target: Target) -> tuple[dict[str, Any], dict[str, Any]]:
    """The answers to a quote and to its booking."""
    client = await _Client.connect(target)
    quote = await client.quote()
    return quote, await client.book(quote["id"])


async def _book_for(target: Target, clients: int, seconds: float, all_told: Callable[[], Awaitable[bool]]) -> Round:
    made = 0
    connected = [await _Client.connect(target) for _ in range(clients)]
    began = time.perf_counter()

    async def book_on(client: _Client) -> None:
        nonlocal made
        while time.perf_counter() < began + seconds:
            await client.book((await client.quote())["id"])
            made += 1

    async with asyncio.TaskGroup() as tasks:
        for client in connected:
            tasks.create_task(book_on(client))
    answered = made / (time.perf_counter() - began)
    while not await all_told():
        if time.perf_counter() > began + seconds + PATIENCE_SECONDS:
            raise RuntimeError(f"not everybody was told of what was booked at {target.base}")
        await asyncio.sleep(0.05)
    return Round(answered, made / (time.perf_counter() - began))


class _Client:
    """One keep-alive connection."""

    def __init__(self, target: Target, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._target, self._reader, self._writer = target, reader, writer
        self._host = urlsplit(target.base).netloc

    @classmethod
    async def connect(cls, target: Target) -> "_Client":
        parts = urlsplit(target.base)
        tls = ssl.create_default_context(cafile=target.ca) if target.ca else None
        return cls(target, *await asyncio.open_connection(parts.hostname, parts.port, ssl=tls))

    async def quote(self) -> dict[str, Any]:
        return await self._post("/api/v1/quotes", next(self._target.stays))

    async def book(self, quote_id: str) -> dict[str, Any]:
        return await self._post("/api/v1/bookings", {"quote_id": quote_id})

    async def _post(self, path: str, body: dict[str, Any]) -> dict[str, Any]:
        content = json.dumps(body).encode()
        headers = {
            "Host": self._host,
            "Content-Type": "application/json",
            "Content-Length": str(len(content)),
            "Idempotency-Key": str(uuid4()),
            **self._target.headers,
        }
        lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
        self._writer.write(f"POST {path} HTTP/1.1\r\n{lines}\r\n".encode() + content)
        answer = _Answer()
        while not answer.is_whole:
            answer.parser.feed_data(await self._reader.read(65536))
        if answer.parser.get_status_code() != 201:
            raise RuntimeError(f"{path} answers {answer.parser.get_status_code()} {answer.body!r}")
        found: dict[str, Any] = json.loads(answer.body)
        return found


class _Answer:
    """Collects what the parser finds."""

    def __init__(self) -> None:
        self.parser = httptools.HttpResponseParser(self)
        self.body = b""
        self.is_whole = False

    def on_body(self, part: bytes) -> None:
        self.body += part

    def on_message_complete(self) -> None:
        self.is_whole = True
