"""Makes up listings: as many as are asked for, always the same for the same seed, each plausible in itself.

`command.py` imports them. They are the rows of an import: nothing here knows how they are stored.
"""

from collections.abc import Iterator, Sequence
from functools import cache
from itertools import accumulate, islice
from math import cos, radians
from random import Random
from typing import Any

from nexus_local.seed import words
from nexus_local.seed.cities import CITIES, City
from nexus_local.seed.kinds import EAST_AFRICA, KINDS, Kind

YEARS = (2027, 2028)
"""Of dated rates. Fixed, so that the same seed makes the same listings next year."""
_CITY_WEIGHTS = list(accumulate(city.weight for city in CITIES))
_KILOMETRES_PER_DEGREE = 111.2


def listings(count: int, seed: int) -> Iterator[dict[str, Any]]:
    """The first `count` of a sequence without end: a larger demo has all of a smaller one."""
    return islice(_sequence(seed), count)


def _sequence(seed: int) -> Iterator[dict[str, Any]]:
    chance = Random(seed)  # noqa: S311 - to be repeated, not to be secret
    number = 0
    while True:
        number += 1
        (city,) = chance.choices(CITIES, cum_weights=_CITY_WEIGHTS)
        kinds, weights = _kinds_of(city)
        (kind,) = chance.choices(kinds, cum_weights=weights)
        yield {"external_id": f"demo-{seed}-{number:06}", **_listing(chance, city, kind)}


@cache
def _kinds_of(city: City) -> tuple[list[Kind], list[int]]:
    """What there is in such a place, with weights that add up."""
    kinds = [
        kind
        for kind in KINDS
        if (kind.countries is None or city.country in kind.countries) and (city.water or not kind.at_water)
    ]
    return kinds, list(accumulate(kind.weight for kind in kinds))


def _listing(chance: Random, city: City, kind: Kind) -> dict[str, Any]:
    capacity = chance.randint(*kind.guests)
    quality = chance.triangular(0.7, 1.9, 1.0)
    amenities = _amenities(chance, city, kind, capacity, quality)
    price = _rounded(city.price * kind.factor * (1 + 0.12 * (capacity - 2)) * quality)
    latitude, longitude = _near(chance, city)
    return {
        "title": _title(chance, city, kind),
        "description": _description(chance, kind, amenities),
        "category": kind.category,
        "city": city.name,
        "country": city.country,
        "latitude": latitude,
        "longitude": longitude,
        "timezone": city.timezone,
        "price": _birr(price),
        "cleaning_fee": _birr(_rounded(price * 0.12) if chance.random() < 0.6 else 0),
        "capacity": capacity,
        "units": chance.choice(kind.units),
        "amenities": amenities,
        **_extra_guests(chance, capacity, price),
        **_lengths(chance),
        **_policy(chance),
        "rates": {"rules": _rules(chance, city, price)},
        "check_in_time": chance.choice(("12:00", "14:00", "14:00", "15:00", "15:00", "16:00")),
        "check_out_time": chance.choice(("10:00", "10:00", "11:00", "11:00", "12:00")),
        "house_rules": chance.sample(words.RULES, chance.choice((0, 1, 2, 2, 3))),
        "instant_book": chance.random() < 0.8,
    }


def _title(chance: Random, city: City, kind: Kind) -> str:
    endings: Sequence[str] = words.ENDINGS
    if city.water and chance.random() < 0.4:
        endings = words.AT_WATER[city.water]
    return (
        f"{chance.choice(words.ADJECTIVES)} {chance.choice(kind.names)} {chance.choice(endings).format(city=city.name)}"
    )


def _description(chance: Random, kind: Kind, amenities: list[str]) -> str:
    """Says of amenities only what is true."""
    told = [amenity for amenity in amenities if amenity in words.FOR]
    inside = [chance.choice(words.FOR[each]) for each in chance.sample(told, min(len(told), chance.randint(2, 3)))]
    return " ".join([chance.choice(kind.openings), *inside, chance.choice(words.AROUND), chance.choice(words.HOSTS)])


def _amenities(chance: Random, city: City, kind: Kind, capacity: int, quality: float) -> list[str]:
    """The usual ones; more where it is dearer; what the place and the climate call for."""
    found = {each for each in kind.amenities if chance.random() < 0.92}
    found |= {each for each in kind.extras if chance.random() < 0.25 * quality}
    if city.country in EAST_AFRICA and chance.random() < 0.45 * quality:
        found.add("backup_power")
    if abs(city.latitude) > 35:
        found |= {"heating", "smoke_alarm"}
    if city.water == "sea" and chance.random() < 0.25:
        found.add("sea_view")
    if city.water == "lake" and chance.random() < 0.35:
        found.add("lake_access")
    if capacity >= 5 and chance.random() < 0.4:
        found |= {"cot", "high_chair"}
    return sorted(found)


def _near(chance: Random, city: City) -> tuple[float, float]:
    """Around the centre: most within some kilometres, none further than 15; at water closer, so that few are in it."""
    spread = 2.0 if city.water else 4.0
    north, east = (max(-10.0, min(10.0, chance.gauss(0, spread))) for _ in range(2))
    latitude = city.latitude + north / _KILOMETRES_PER_DEGREE
    longitude = city.longitude + east / (_KILOMETRES_PER_DEGREE * cos(radians(city.latitude)))
    return round(latitude, 5), round(longitude, 5)


def _extra_guests(chance: Random, capacity: int, price: int) -> dict[str, Any]:
    if capacity < 4 or chance.random() < 0.7:
        return {"included_guests": None, "extra_guest_fee": _birr(0)}
    return {"included_guests": capacity - 2, "extra_guest_fee": _birr(_rounded(price * 0.1))}


def _lengths(chance: Random) -> dict[str, Any]:
    discounts: list[list[tuple[int, int]]] = [[], [], [(7, 10)], [(7, 10), (28, 25)], [(3, 5), (7, 12), (28, 30)]]
    return {
        "min_nights": chance.choice((1, 1, 1, 1, 2, 2, 3)),
        "max_nights": chance.choice((14, 30, 60, 90, 365)),
        "advance_notice_hours": chance.choice((0, 0, 0, 12, 24, 48)),
        "booking_window_days": chance.choice((365, 540, 540, 730)),
        "length_discounts": [{"nights": nights, "percent": percent} for nights, percent in chance.choice(discounts)],
    }


def _policy(chance: Random) -> dict[str, Any]:
    policy = chance.choice(("flexible", "flexible", "flexible", "moderate", "moderate", "moderate", "strict", "custom"))
    tiers = chance.choice((((72, 100), (24, 50)), ((336, 100), (168, 50), (48, 25)), ((24, 90),)))
    return {
        "cancellation_policy": policy,
        "cancellation_tiers": [
            {"hours_before_check_in": hours, "refund_percent": percent}
            for hours, percent in (tiers if policy == "custom" else ())
        ],
    }


def _rules(chance: Random, city: City, price: int) -> list[dict[str, Any]]:
    """What is different on some days: nothing for half of them."""
    rules: list[dict[str, Any]] = []
    if chance.random() < 0.35:
        weekend = {"name": "Weekend", "weekdays": ["friday", "saturday"], "price": _birr(_rounded(price * 1.15))}
        rules.append(weekend | ({"min_nights": 2} if chance.random() < 0.3 else {}))
    if chance.random() < 0.25:
        name, first, last = chance.choice(words.SEASONS.get(city.country, words.SEASONS[""]))
        more = chance.choice(({}, {}, {"min_nights": 3}, {"min_nights": 2}))
        rules += [
            {
                "name": name,
                "first_night": f"{year}-{first}",
                "last_night": f"{year}-{last}",
                "priority": 10,
                "price": _birr(_rounded(price * 1.4)),
                **more,
            }
            for year in YEARS
        ]
    if chance.random() < 0.04:
        rules.append({"name": "No arrivals on Sundays", "weekdays": ["sunday"], "closed_to_arrival": True})
    return rules


def _rounded(birr: float) -> int:
    """As people write prices: to fifty."""
    return max(50, round(birr / 50) * 50)


def _birr(amount: int) -> dict[str, Any]:
    return {"amount": amount * 100, "currency": "ETB"}
