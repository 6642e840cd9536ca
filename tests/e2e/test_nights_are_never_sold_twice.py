"""Two hundred guests want the same nights at the same moment, through the gateway."""

import asyncio
from collections import Counter
from datetime import date, timedelta
from typing import Any
from uuid import uuid4

import pytest

from tests.actors import Actor, succeeded

RACERS = 200
ARRIVAL = date.today() + timedelta(days=60)  # noqa: DTZ011 - a date well ahead in any zone
STAY = {"check_in": ARRIVAL.isoformat(), "check_out": (ARRIVAL + timedelta(days=2)).isoformat(), "guests": 1}


@pytest.mark.parametrize("units", [1, 3])
async def test_exactly_as_many_bookings_win_as_there_are_units(host: Actor, guest: Actor, units: int) -> None:
    listing = await host.publish_listing(units=units, title=f"Race of {units}")
    quotes = await asyncio.gather(*(quote(guest, listing) for _ in range(RACERS)))

    answers = await asyncio.gather(*(book(guest, each["id"]) for each in quotes))

    assert Counter(answers) == {201: units, 409: RACERS - units}
    calendar = await guest.get(f"/availability/{listing['id']}", **{"from": STAY["check_in"], "to": STAY["check_out"]})
    assert [night["free_units"] for night in calendar["items"]] == [0, 0]


async def quote(guest: Actor, listing: dict[str, Any]) -> dict[str, Any]:
    made: dict[str, Any] = await guest.post("/quotes", {"listing_id": listing["id"], **STAY})
    return made


async def book(guest: Actor, quote_id: str) -> int:
    answer = await guest.call(
        "POST", "/bookings", json={"quote_id": quote_id}, headers={"Idempotency-Key": str(uuid4())}
    )
    if answer.status_code == 409:
        assert answer.json()["code"] == "dates_unavailable"
    else:
        succeeded(answer)
    return answer.status_code
