"""The demo listings: true cities and time zones, believable listings, and always the same for the same seed."""

import math
import re
from collections import Counter
from importlib.resources import files
from itertools import islice
from typing import Any

import pytest
from nexus_listings import places
from nexus_listings.imports.schemas import ImportRow
from nexus_local.seed import words
from nexus_local.seed.cities import CITIES
from nexus_local.seed.kinds import KINDS
from nexus_local.seed.listings import listings
from nexus_local.seed.pictures import draw

KILOMETRES_PER_DEGREE = 111.2
WIDEST_ZONE = 1700
"""Kilometres from a zone's own city to another of ours in it: India's and South Africa's are wide."""


@pytest.fixture(scope="module")
def many() -> list[dict[str, Any]]:
    return list(listings(4000, seed=1))


def test_cities_are_in_countries_and_zones_that_there_are() -> None:
    assert {city.country for city in CITIES} <= places.countries()
    assert {city.timezone for city in CITIES} <= places.timezones()
    assert len({(city.name, city.country) for city in CITIES}) == len(CITIES) >= 120


@pytest.mark.parametrize("city", CITIES, ids=lambda city: city.name)
def test_a_city_lies_in_its_time_zone(city: Any) -> None:
    """tzdata says in which countries a zone is used, and where the city lies that it is named after."""
    zone = zones()[city.timezone]

    assert city.country in zone["countries"]
    assert kilometres(zone["place"], (city.latitude, city.longitude)) < WIDEST_ZONE


def test_a_listing_is_accepted_as_it_is(many: list[dict[str, Any]]) -> None:
    for listing in many:
        row = ImportRow.model_validate(listing)
        assert row.model_fields_set >= {"price", "rates", "capacity", "cancellation_tiers", "timezone"}
        assert (row.min_nights or 0) <= (row.max_nights or 0)
        assert (row.included_guests or 1) <= (row.capacity or 0)
        assert bool(row.cancellation_tiers) == (row.cancellation_policy == "custom")


def test_a_listing_lies_near_the_centre_of_its_city(many: list[dict[str, Any]]) -> None:
    centres = {(city.name, city.country): (city.latitude, city.longitude) for city in CITIES}

    for listing in many:
        here = (listing["latitude"], listing["longitude"])
        assert kilometres(centres[listing["city"], listing["country"]], here) < 15


def test_the_same_seed_makes_the_same_listings_and_a_larger_demo_has_all_of_a_smaller_one() -> None:
    assert list(listings(60, seed=1)) == list(islice(listings(5000, seed=1), 60))
    assert list(listings(60, seed=1)) != list(listings(60, seed=2))


def test_no_two_listings_of_any_seed_share_an_external_id() -> None:
    ids = [listing["external_id"] for seed in (1, 2) for listing in listings(2000, seed)]

    assert len(set(ids)) == 4000


def test_a_description_speaks_only_of_amenities_that_are_there(many: list[dict[str, Any]]) -> None:
    for listing in many:
        for amenity, sentences in words.FOR.items():
            told = any(sentence in listing["description"] for sentence in sentences)
            assert not told or amenity in listing["amenities"], listing


def test_the_demo_is_varied(many: list[dict[str, Any]]) -> None:
    assert {listing["category"] for listing in many} == {kind.category for kind in KINDS}
    assert len({listing["city"] for listing in many}) == len({city.name for city in CITIES})
    assert len({listing["title"] for listing in many}) > 2000
    assert Counter(listing["title"] for listing in many).most_common(1)[0][1] < 10
    assert len({listing["description"] for listing in many}) > 3900
    for share in ("rates", "length_discounts", "amenities", "house_rules"):
        some = sum(1 for listing in many if listing[share] not in ([], {"rules": []}))
        assert some > 0.3 * len(many), share


def test_a_dear_city_is_dearer_than_a_cheap_one(many: list[dict[str, Any]]) -> None:
    def typical(city: str) -> float:
        prices = sorted(each["price"]["amount"] for each in many if each["city"] == city)
        return float(prices[len(prices) // 2])

    assert typical("Bahir Dar") < typical("Nairobi") < typical("London")


def test_some_kinds_of_places_are_only_where_they_belong(many: list[dict[str, Any]]) -> None:
    dry = {city.name for city in CITIES if not city.water}

    assert {each["country"] for each in many if each["category"] == "tukul"} <= {"ET", "ER"}
    assert not {each["city"] for each in many if each["category"] == "boat"} & dry


def test_a_picture_is_the_same_each_time_it_is_drawn() -> None:
    assert draw(1000) == draw(1000)
    assert len({draw(number).jpeg for number in range(1000, 1008)}) == 8


def zones() -> dict[str, dict[str, Any]]:
    """By IANA name: the countries that use the zone, and where its city lies."""
    found: dict[str, dict[str, Any]] = {}
    for table in ("zone1970.tab", "zone.tab"):
        lines = (files("tzdata") / "zoneinfo" / table).read_text(encoding="utf-8").splitlines()
        for countries, place, name, *_ in (line.split("\t") for line in lines if not line.startswith("#")):
            zone = found.setdefault(name, {"countries": set(), "place": degrees(place)})
            zone["countries"] |= set(countries.split(","))
    return found


def degrees(place: str) -> tuple[float, float]:
    """ISO 6709: `+0902+03842` is 9°02' N, 38°42' E."""
    parts = re.fullmatch(r"([+-]\d{2})(\d{2})\d*([+-]\d{3})(\d{2})\d*", place)
    assert parts
    latitude, longitude = (
        math.copysign(abs(int(whole)) + int(minutes) / 60, float(whole + "1"))
        for whole, minutes in ((parts[1], parts[2]), (parts[3], parts[4]))
    )
    return latitude, longitude


def kilometres(one: tuple[float, float], other: tuple[float, float]) -> float:
    """Near enough on a sphere."""
    north = (other[0] - one[0]) * KILOMETRES_PER_DEGREE
    east = (other[1] - one[1]) * KILOMETRES_PER_DEGREE * math.cos(math.radians((one[0] + other[0]) / 2))
    return math.hypot(north, east)
