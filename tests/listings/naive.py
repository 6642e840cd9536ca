"""What a search must find, by a loop over a list: no index, no SQL, no cleverness. Tests compare the two."""

import math
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

from nexus_contracts.rates import Rates

from tests.listings.given import soon

PARENTS = {
    "house": None,
    "bungalow": "house",
    "villa": None,
    "apartment": None,
    "studio": "apartment",
    "loft": "apartment",
}
BASE: dict[str, Any] = {
    "host_id": "00000000-0000-0000-0000-000000000001",
    "status": "published",
    "title": "House",
    "description": "A house.",
    "category": "house",
    "city": "Gondar",
    "country": "ET",
    "latitude": 12.6,
    "longitude": 37.45,
    "timezone": "UTC",
    "currency": "ETB",
    "price_amount": 100,
    "capacity": 2,
    "min_nights": 1,
    "max_nights": 365,
    "advance_notice_hours": 0,
    "booking_window_days": 540,
    "rates": Rates(),
    "length_discounts": [],
    "amenities": [],
    "rating": None,
    "reviews": 0,
    "published_at": datetime(2026, 1, 1, tzinfo=UTC),
}
EARTH_RADIUS_KM = 6371.0088
CHECK_IN_TIME = time(15)


@dataclass(frozen=True)
class Place:
    """One listing as the model knows it."""

    row: dict[str, Any]
    sold_out: frozenset[int]
    """Nights, in days from today."""


def found(everything: Iterable[Place], wanted: dict[str, Any]) -> list[str]:
    """The ids, in order."""
    matching = [place for place in everything if matches(place, wanted)]
    falls = wanted.get("sort") not in {"price", "distance"}
    matching.sort(key=lambda place: (*_key(place, wanted), place.row["id"].int), reverse=falls)
    return [str(place.row["id"]) for place in matching]


def matches(place: Place, wanted: dict[str, Any]) -> bool:
    """Every filter, one after the other."""
    row = place.row
    low, high = wanted.get("price", (0, 10**9))
    fits = bool(stays(place, wanted)) if "nights" in wanted else low <= row["price_amount"] <= high
    return (
        row["status"] == "published"
        and ("q" not in wanted or rank(row, wanted["q"]) > 0)
        and wanted.get("category", row["category"]) in {row["category"], PARENTS[row["category"]]}
        and folded(wanted.get("city", row["city"])) == folded(row["city"])
        and wanted.get("guests", 1) <= row["capacity"]
        and set(wanted.get("amenities", ())) <= set(row["amenities"])
        and wanted.get("host_id", row["host_id"]) == row["host_id"]
        and ("near" not in wanted or distance_km(row, wanted["near"]) <= wanted["radius_km"])
        and ("bbox" not in wanted or in_box(row, *wanted["bbox"]))
        and ("polygon" not in wanted or in_polygon(row, wanted["polygon"]))
        and fits
    )


def _key(place: Place, wanted: dict[str, Any]) -> tuple[Any, ...]:
    row = place.row
    match wanted.get("sort", "relevance" if "q" in wanted else "newest"):
        case "relevance":
            return rank(row, wanted["q"]), row["published_at"]
        case "price" | "-price":
            return (stays(place, wanted)[0][1] if "nights" in wanted else row["price_amount"],)
        case "distance":
            return (distance_km(row, wanted["near"]),)
        case "rating":
            return row["rating"] or 0, row["reviews"]
        case _:
            return (row["published_at"],)


# --------------------------------------------------------------------------------------------------------- the words


def folded(text: str) -> str:
    """Without accents and case."""
    return "".join(each for each in unicodedata.normalize("NFKD", text) if not unicodedata.combining(each)).lower()


def rank(row: dict[str, Any], q: str) -> int:
    """3: the title has all words; 2: title and description have; 1: with the city; 0: not found."""
    parts = [row["title"], f"{row['title']} {row['description']}", f"{row['title']} {row['description']} {row['city']}"]
    return max((3 - place for place, part in enumerate(parts) if stems(q) <= stems(part)), default=0)


def stems(text: str) -> set[str]:
    """Its words; one or many of a thing is the same word."""
    return {word.removesuffix("s") for word in folded(text).split()}


# ---------------------------------------------------------------------------------------------------------- the globe


def distance_km(row: dict[str, Any], point: tuple[float, float]) -> float:
    """Haversine."""
    one, other = map(math.radians, (row["latitude"], point[0]))
    east = math.radians(point[1] - row["longitude"])
    half = math.sin((other - one) / 2) ** 2 + math.cos(one) * math.cos(other) * math.sin(east / 2) ** 2
    return 2 * EARTH_RADIUS_KM * math.asin(min(1, math.sqrt(half)))


def in_box(row: dict[str, Any], west: float, south: float, east: float, north: float) -> bool:
    """Its sides belong to it; it may cross the 180th meridian."""
    longitude: float = row["longitude"]
    across = west <= longitude <= east if west <= east else longitude >= west or longitude <= east
    return across and bool(south <= row["latitude"] <= north)


def in_polygon(row: dict[str, Any], corners: Sequence[tuple[float, float]]) -> bool:
    """A ray from the point crosses its sides an odd number of times."""
    y, x = row["latitude"], row["longitude"]
    inside = False
    for (y1, x1), (y2, x2) in zip(corners, (*corners[1:], corners[0]), strict=True):
        if (y1 > y) != (y2 > y) and x < (x2 - x1) * (y - y1) / (y2 - y1) + x1:
            inside = not inside
    return inside


# ---------------------------------------------------------------------------------------------------------- the dates


def stays(place: Place, wanted: dict[str, Any]) -> list[tuple[int, int]]:
    """The stays that fit, as days ahead and price of the average night; the nearest to the one asked for in front."""
    first, nights = wanted["nights"]
    low, high = wanted.get("price", (0, 10**9))
    flexible = wanted.get("flexible_days", 0)
    fitting = []
    for shift in sorted(range(-flexible, flexible + 1), key=lambda days: (abs(days), days)):
        nightly = average(accommodation(place.row, soon(first + shift), nights), nights)
        if refusal(place, first + shift, nights) is None and low <= nightly <= high:
            fitting.append((first + shift, nightly))
    return fitting


def refusal(place: Place, first: int, nights: int) -> str | None:
    """Why the stay is not to be had."""
    row = place.row
    arrival, departure = row["rates"].on(soon(first)), row["rates"].on(soon(first + nights))
    notice = timedelta(hours=row["advance_notice_hours"])
    begins = datetime.combine(soon(first), CHECK_IN_TIME, UTC)
    reasons = {
        "advance_notice": first < 0 or (bool(notice) and begins < datetime.now(UTC) + notice),
        "booking_window": first > row["booking_window_days"],
        "closed_to_arrival": arrival.closed_to_arrival,
        "closed_to_departure": departure.closed_to_departure,
        "minimum_stay": nights < (arrival.min_nights or row["min_nights"]),
        "maximum_stay": nights > (arrival.max_nights or row["max_nights"]),
        "sold_out": not place.sold_out.isdisjoint(range(first, first + nights)),
    }
    return next((reason for reason, applies in reasons.items() if applies), None)


def accommodation(row: dict[str, Any], first: date, nights: int) -> int:
    """All nights, less the discount."""
    total = 0
    for night in range(nights):
        price = row["rates"].on(first + timedelta(days=night)).price
        total += row["price_amount"] if price is None else price.amount
    reached = [each for each in row["length_discounts"] if each.nights <= nights]
    percent = max(reached, key=lambda each: each.nights).percent if reached else 0
    return total - (total * percent + 50) // 100


def average(total: int, nights: int) -> int:
    """Half a minor unit rounds up."""
    return (2 * total + nights) // (2 * nights)
