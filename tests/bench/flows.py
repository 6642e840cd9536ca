"""A load generator of bookings: clients who each ask for a quote, book it, and begin again. `booking.py` uses it.

Plain streams on uvloop, as in `load.py`; the same client talks to the suite and to its peer.
"""

import asyncio
import itertools
import json
import ssl
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import Any
from urllib.parse import urlsplit
from uuid import uuid4

import httptools
import uvloop

WARM_UP_SECONDS = 1.0
ARRIVAL = date.today() + timedelta(days=10)  # noqa: DTZ011 - a date well ahead in any zone
STAYS_OF_EACH = 100
"""Stays of two nights, one after the other: no two bookings want the same night."""


@dataclass
class Target:
    """Where bookings are made, by whom, and what can still be booked there."""

    base: str
    ca: str
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


def bookings_per_second(target: Target, clients: int, seconds: float) -> float:
    """How many are made, end to end: a quote, and a booking of it."""
    return uvloop.run(_rate(target, clients, seconds))


def milliseconds(target: Target, times: int) -> tuple[list[float], list[float]]:
    """How long each quote, and each booking, of one client took."""
    return uvloop.run(_times(target, times))


async def _rate(target: Target, clients: int, seconds: float) -> float:
    made = 0
    counting = False

    async def book_on() -> None:
        nonlocal made
        client = await _Client.connect(target)
        while True:
            await client.book()
            made += counting

    tasks = [asyncio.create_task(book_on()) for _ in range(clients)]
    await asyncio.sleep(WARM_UP_SECONDS)
    counting, began = True, time.perf_counter()
    done, _ = await asyncio.wait(tasks, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
    rate = made / (time.perf_counter() - began)
    for task in tasks:
        task.cancel()
    for failed in done:
        failed.result()
    await asyncio.gather(*tasks, return_exceptions=True)
    return rate


async def _times(target: Target, times: int) -> tuple[list[float], list[float]]:
    client = await _Client.connect(target)
    quotes, bookings = [], []
    for _ in range(times):
        began = time.perf_counter()
        quote = await client.quote()
        quoted = time.perf_counter()
        await client.book(quote)
        quotes.append((quoted - began) * 1000)
        bookings.append((time.perf_counter() - quoted) * 1000)
    return quotes, bookings


class _Client:
    """One keep-alive connection."""

    def __init__(self, target: Target, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._target, self._reader, self._writer = target, reader, writer
        self._host = urlsplit(target.base).netloc

    @classmethod
    async def connect(cls, target: Target) -> "_Client":
        parts = urlsplit(target.base)
        tls = ssl.create_default_context(cafile=target.ca)
        return cls(target, *await asyncio.open_connection(parts.hostname, parts.port, ssl=tls))

    async def quote(self) -> str:
        found: str = (await self._post("/api/v1/quotes", next(self._target.stays)))["id"]
        return found

    async def book(self, quote: str | None = None) -> None:
        await self._post("/api/v1/bookings", {"quote_id": quote or await self.quote()})

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
