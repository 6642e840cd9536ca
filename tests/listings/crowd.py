"""Many listings as a grown marketplace has them: few big cities and many small ones, few common words
and many rare ones.

Deterministic: the first thousand of ten thousand are the same as of two hundred thousand, and so are the dates apart
from today. `test_search_plans.py` and `tests/bench/search_at_scale.py` fill a database with them.
"""

import json
import random
from bisect import bisect
from collections.abc import Iterator, Sequence
from datetime import UTC, date, datetime, timedelta
from itertools import accumulate
from typing import Any
from uuid import UUID

import asyncpg
from nexus_listings.amenities import Amenity

CATEGORIES = {
    "apartment": 30,
    "studio": 15,
    "loft": 5,
    "house": 20,
    "bungalow": 6,
    "villa": 8,
    "guest-house": 6,
    "hotel-room": 5,
    "cabin": 3,
    "lodge": 1,
    "boat": 0.2,
}
COMMON_WORDS = (
    "quiet",
    "sunny",
    "house",
    "lake",
    "garden",
    "view",
    "family",
    "modern",
    "cosy",
    "near",
    "centre",
    "room",
)
COUNTRIES = ("ET", "KE", "UG", "TZ", "RW", "GB", "FR", "BR", "IN", "JP")
_SYLLABLES = (
    "ba",
    "le",
    "mi",
    "ro",
    "su",
    "ka",
    "no",
    "ti",
    "da",
    "wo",
    "ge",
    "pha",
    "sha",
    "lu",
    "ner",
    "qui",
    "to",
    "zen",
)


def word(number: int) -> str:
    """The rarer, the higher its number."""
    if number < len(COMMON_WORDS):
        return COMMON_WORDS[number]
    return "".join(_SYLLABLES[number // len(_SYLLABLES) ** place % len(_SYLLABLES)] for place in range(3)) + "x"


WORDS = tuple(word(number) for number in range(5000))


class Chance:
    """Deterministic dice, some of them loaded: the first of many comes up most."""

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)
        self._word_weights = list(accumulate(1 / (rank + 3) for rank in range(len(WORDS))))
        self._city_weights = list(accumulate(1 / (rank + 1) for rank in range(80)))

    def words(self, count: int) -> str:
        """Some words, one of two common."""
        top = self._word_weights[-1]
        return " ".join(WORDS[bisect(self._word_weights, self._random.random() * top)] for _ in range(count))

    def city(self) -> int:
        """A rank: city 0 has a fifth of all listings."""
        return bisect(self._city_weights, self._random.random() * self._city_weights[-1])

    def __getattr__(self, name: str) -> Any:
        return getattr(self._random, name)


def center(city: int) -> tuple[float, float]:
    """Latitude and longitude: half of the cities lie in East Africa, the others all over the world."""
    dice = random.Random(f"city {city}")
    if city % 2 == 0:
        return dice.uniform(-10, 14), dice.uniform(29, 42)
    return dice.uniform(-50, 60), dice.uniform(-179, 179)


def listings(count: int) -> Iterator[dict[str, Any]]:
    """Rows of the table."""
    chance = Chance(7)
    for number in range(count):
        city = chance.city()
        latitude, longitude = center(city)
        price = int(chance.lognormvariate(12.5, 0.6))
        yield {
            "id": UUID(int=(1 << 64) * number + chance.getrandbits(62)),
            "host_id": UUID(int=chance.randrange(max(count // 4, 1))),
            "version": 1,
            "status": "published" if chance.random() < 0.95 else "unpublished",
            "title": chance.words(4),
            "description": chance.words(30),
            "category": chance.choices(list(CATEGORIES), list(CATEGORIES.values()))[0],
            "city": f"City {city}",
            "country": COUNTRIES[city % len(COUNTRIES)],
            "latitude": max(-90.0, min(90.0, chance.gauss(latitude, 0.05))),
            "longitude": max(-180.0, min(180.0, chance.gauss(longitude, 0.05))),
            "timezone": "Africa/Nairobi",
            "currency": "ETB",
            "price_amount": price,
            "capacity": min(1 + int(chance.expovariate(0.4)), 16),
            "amenities": sorted(chance.sample(list(Amenity)[:12], 4) + chance.sample(list(Amenity)[12:], 3)),
            "min_nights": chance.choice((1, 1, 1, 2, 3)),
            "max_nights": chance.choice((365, 365, 30, 14)),
            "rates": json.dumps({"rules": _rules(chance, price) if chance.random() < 0.25 else []}),
            "length_discounts": json.dumps([{"nights": 7, "percent": 10}] if chance.random() < 0.15 else []),
            "rating": round(chance.uniform(3, 5), 1) if chance.random() < 0.6 else None,
            "reviews": int(chance.expovariate(0.1)),
            "published_at": datetime(2026, 1, 1, tzinfo=UTC) + timedelta(seconds=100 * number),
        }


def _rules(chance: Chance, price: int) -> list[dict[str, Any]]:
    """A dear weekend, a dear season with a minimum stay."""
    season = date(2026, 12, 1) + timedelta(days=chance.randrange(300))
    return [
        {"weekdays": ["friday", "saturday"], "price": {"amount": int(price * 1.2), "currency": "ETB"}},
        {
            "first_night": str(season),
            "last_night": str(season + timedelta(days=40)),
            "priority": 1,
            "price": {"amount": int(price * 1.4), "currency": "ETB"},
            "min_nights": 2,
        },
    ]


def sold_out_nights(rows: Sequence[dict[str, Any]], today: date) -> Iterator[tuple[UUID, date, bool, int]]:
    """Of two listings in five: some stays in the coming months."""
    chance = Chance(8)
    for row in rows:
        if chance.random() < 0.4:
            nights = {chance.randrange(120) + night for _ in range(4) for night in range(chance.randrange(1, 5))}
            yield from ((row["id"], today + timedelta(days=night), True, 1) for night in sorted(nights))


async def fill(url: str, count: int) -> None:
    """COPY them into an empty database (`url` is asyncpg's own kind), and let it look at what it has."""
    rows = list(listings(count))
    nights = sold_out_nights(rows, datetime.now(UTC).date())
    connection = await asyncpg.connect(url)
    try:
        for start in range(0, count, 10_000):
            part = rows[start : start + 10_000]
            await connection.copy_records_to_table(
                "listings", records=[tuple(row.values()) for row in part], columns=list(rows[0])
            )
        await connection.copy_records_to_table("sold_out_nights", records=nights)
        await connection.execute("VACUUM ANALYZE")
    finally:
        await connection.close()
