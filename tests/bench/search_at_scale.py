"""How long an uncached search takes with 200,000 listings, and how much longer than with 10,000.

`make bench ARGS="'Searching at scale'"` runs it alone.
"""

import asyncio
import contextlib
import math
import os
import random
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import asyncpg
import httpx
from nexus_kit.testing import INTERNAL_SECRET, PUBLIC_URL, create_database, serve_jwks
from nexus_listings.amenities import Amenity

from tests.bench.measure import Bench, Result, at_most
from tests.listings import crowd
from tests.servers import free_port, running_postgres, running_valkey

FEW, MANY = 10_000, 200_000
REQUESTS, WARM_UP = 100, 10
MEDIAN_MS, P99_MS, GROWTH = 25, 100, 2
ALEMBIC = Path(__file__).parents[2] / "services/listings/alembic.ini"

Parameters = dict[str, Any]


class Wishes:
    """What guests ask for: as skewed as what there is. The same again for the same seed."""

    def __init__(self, seed: int) -> None:
        self._chance = random.Random(seed)
        self._today = datetime.now(UTC).date()

    def word(self) -> str:
        """Of all degrees of rarity."""
        return crowd.WORDS[int(len(crowd.WORDS) ** self._chance.random())]

    def typo(self) -> str:
        """A common word with two letters swapped."""
        word = self._chance.choice([each for each in crowd.COMMON_WORDS if len(each) > 4])
        place = self._chance.randrange(1, len(word) - 2)
        return word[:place] + word[place + 1] + word[place] + word[place + 2 :]

    def city(self) -> int:
        """Big ones more often."""
        return int(80 ** self._chance.random()) - 1

    def place(self) -> tuple[float, float]:
        """In a city."""
        latitude, longitude = crowd.center(self.city())
        return latitude + self._chance.gauss(0, 0.03), longitude + self._chance.gauss(0, 0.03)

    def near(self) -> Parameters:
        """Of several sizes."""
        latitude, longitude = self.place()
        return {"near": f"{latitude},{longitude}", "radius_km": self._chance.choice((1, 5, 25, 300))}

    def bbox(self) -> Parameters:
        """From a quarter to a country."""
        latitude, longitude = self.place()
        half = self._chance.choice((0.01, 0.05, 0.5, 5))
        west, east = max(longitude - half, -180), min(longitude + half, 180)
        return {"bbox": f"{west},{max(latitude - half, -90)},{east},{min(latitude + half, 90)}"}

    def polygon(self) -> Parameters:
        """A hexagon of some kilometres."""
        latitude, longitude = self.place()
        size = self._chance.uniform(0.01, 0.1)
        corners = (
            f"{latitude + size * math.sin(step)},{longitude + size * math.cos(step)}" for step in (0, 1, 2, 3, 4, 5)
        )
        return {"polygon": ";".join(corners)}

    def stay(self) -> Parameters:
        """Some nights in the coming months."""
        check_in = self._today + timedelta(days=self._chance.randrange(3, 100))
        return {"check_in": check_in, "check_out": check_in + timedelta(days=self._chance.randrange(1, 9))}

    def price(self) -> Parameters:
        """Narrow or wide."""
        low = int(self._chance.lognormvariate(12.3, 0.5))
        return {"min_price": low, "max_price": int(low * self._chance.choice((1.05, 1.3, 2)))}

    def amenities(self) -> Parameters:
        """One to three."""
        return {"amenities": ",".join(self._chance.sample(list(Amenity), self._chance.randrange(1, 4)))}

    def one_of(self, *choices: Any) -> Any:
        """Any."""
        return self._chance.choice(choices)


SHAPES: dict[str, Callable[[Wishes], Parameters]] = {
    "no filter": lambda wish: {"min_price": wish.one_of(*range(1000))},
    "words": lambda wish: {"q": wish.word()},
    "mistyped words": lambda wish: {"q": wish.typo()},
    "category": lambda wish: {"category": wish.one_of(*crowd.CATEGORIES)},
    "city": lambda wish: {"city": f"City {wish.city()}"},
    "country": lambda wish: {"country": wish.one_of(*crowd.COUNTRIES)},
    "price": lambda wish: wish.price(),
    "guests": lambda wish: {"guests": wish.one_of(*range(1, 17))},
    "amenities": lambda wish: wish.amenities(),
    "dates": lambda wish: wish.stay(),
    "flexible dates": lambda wish: {**wish.stay(), "flexible_days": 3},
    "near": lambda wish: wish.near(),
    "near, by distance": lambda wish: {**wish.near(), "sort": "distance"},
    "box": lambda wish: wish.bbox(),
    "polygon": lambda wish: wish.polygon(),
    "host": lambda wish: {"host_id": f"00000000-0000-0000-0000-{wish.one_of(*range(FEW // 4)):012x}"},
    "city + dates + price + guests": lambda wish: {
        "city": f"City {wish.city()}",
        "guests": 2,
        **wish.stay(),
        **wish.price(),
    },
    "city + dates, by price": lambda wish: {"city": f"City {wish.city()}", "sort": "price", **wish.stay()},
    "box + dates": lambda wish: {**wish.bbox(), **wish.stay()},
    "words + category": lambda wish: {"q": wish.word(), "category": wish.one_of(*crowd.CATEGORIES)},
    "near + dates": lambda wish: {**wish.near(), **wish.stay()},
}


def measured(_: Bench) -> Iterator[Result]:
    """One client asks a uvicorn process of the listings service, without a gateway, for pages of 20 listings. Each
    request has parameters of its own, so that the cache never helps. Both sizes are asked in turn. PostgreSQL has room
    for its data in memory, and has read it once: what a disk takes is not measured."""
    with (
        running_postgres(shared_buffers="1GB") as postgres,
        running_valkey() as (valkey, _server),
        serve_jwks() as jwks,
    ):
        yield from asyncio.run(_measure(postgres, valkey, jwks))


async def _measure(postgres: str, valkey: str, jwks: str) -> list[Result]:
    found: list[Result] = []
    async with (
        _service(postgres, f"{valkey}/0", jwks, FEW) as few,
        _service(postgres, f"{valkey}/2", jwks, MANY) as many,
    ):
        for name, shape in SHAPES.items():
            small, large = [], []
            for small_wish, large_wish in zip(_parameters(shape), _parameters(shape), strict=True):
                small.append(await _milliseconds(few, small_wish))
                large.append(await _milliseconds(many, large_wish))
            median = statistics.median(large[WARM_UP:])
            usual = statistics.median(small[WARM_UP:])
            found.append(at_most(f"{name}: median, ms", median, MEDIAN_MS))
            found.append(at_most(f"{name}: p99, ms", statistics.quantiles(large[WARM_UP:], n=100)[98], P99_MS))
            found.append(at_most(f"{name}: with 200,000 to 10,000 listings", median, usual, GROWTH))
    return found


def _parameters(shape: Callable[[Wishes], Parameters]) -> Iterator[Parameters]:
    wishes = Wishes(1)
    return (shape(wishes) for _ in range(WARM_UP + REQUESTS))


async def _milliseconds(client: httpx.AsyncClient, parameters: Parameters) -> float:
    # `limit` alone would not do: with few words to choose from, a request may come twice.
    unique = {**parameters, "max_price": parameters.get("max_price", 10**12 - time.monotonic_ns() % 10**9)}
    started = time.perf_counter()
    answer = await client.get("/api/v1/listings", params=unique)
    elapsed = time.perf_counter() - started
    if answer.status_code != 200:
        raise RuntimeError(answer.text)
    return elapsed * 1000


@contextlib.asynccontextmanager
async def _service(postgres: str, valkey: str, jwks: str, count: int) -> AsyncIterator[httpx.AsyncClient]:
    url = await create_database(postgres, f"nexus_listings_{count}", ALEMBIC, extensions=["pg_prewarm"])
    await crowd.fill(url.replace("+asyncpg", ""), count)
    await _read_once(url.replace("+asyncpg", ""))
    server, _, number = valkey.rpartition("/")
    environment = {
        **os.environ,
        "NEXUS_DATABASE_URL": url,
        "NEXUS_CACHE_URL": valkey,
        "NEXUS_EVENTS_URL": f"{server}/{int(number) + 1}",
        "NEXUS_JWKS_URL": jwks,
        "NEXUS_INTERNAL_SECRET": INTERNAL_SECRET,
        "NEXUS_ISSUER": PUBLIC_URL,
        "NEXUS_PUBLIC_URL": PUBLIC_URL,
        "NEXUS_LOG_LEVEL": "warning",
    }
    port = free_port()
    command = (
        *(sys.executable, "-m", "uvicorn", "--factory", "nexus_listings.main:build"),
        *("--port", str(port), "--no-access-log", "--log-level", "warning"),
    )
    with tempfile.TemporaryDirectory() as folder:
        environment["NEXUS_PHOTOS_URL"] = f"file://{folder}"
        process = subprocess.Popen(command, env=environment)  # noqa: ASYNC220 - it only starts it
        try:
            async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", timeout=60) as client:
                await _ready(client)
                yield client
        finally:
            process.terminate()
            process.wait(30)


async def _read_once(url: str) -> None:
    """Tables and indexes, into PostgreSQL's memory."""
    connection = await asyncpg.connect(url)
    await connection.execute(
        "SELECT pg_prewarm(oid) FROM pg_class WHERE relowner = current_user::regrole AND relkind IN ('r', 'i', 't')"
    )
    await connection.close()


async def _ready(client: httpx.AsyncClient) -> None:
    for _ in range(300):
        with contextlib.suppress(httpx.TransportError):
            if (await client.get("/readyz")).status_code == 200:
                return
        await asyncio.sleep(0.1)
    raise RuntimeError("the service does not get ready")
