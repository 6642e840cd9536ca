"""Calendars out and in: other sites know which nights are taken here, and what is taken there is closed here."""

from collections.abc import Iterator
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest
from nexus_bookings.ics import parse
from nexus_contracts.bookings import CalendarConflicted
from nexus_contracts.listings import ListingSnapshot
from nexus_kit.testing import signed_in

from tests.bookings.given import ARRIVAL, House, Json, code, eventually, succeeded
from tests.bookings.sites import Site

API = "/api/v1/calendars"


@pytest.fixture
def site() -> Iterator[Site]:
    with Site().open() as opened:
        yield opened


async def as_host(
    house: House, listing: ListingSnapshot, method: str, path: str = "", **request: Any
) -> httpx.Response:
    return await house.client.request(method, f"{API}{path}", headers=signed_in(listing.host_id), **request)


async def follow(house: House, listing: ListingSnapshot, site: Site) -> Json:
    """A followed calendar that was looked at once."""
    body = {"listing_id": str(listing.id), "name": "Elsewhere", "url": site.url}
    calendar = succeeded(await as_host(house, listing, "POST", json=body))
    return await look(house, listing, calendar, looks=1)


async def look(house: House, listing: ListingSnapshot, calendar: Json, looks: int | None = None) -> Json:
    """The calendar with its log, once it was looked at (again)."""
    if looks is None:
        statement = "UPDATE calendars SET sync_at = now() WHERE id = :id"
        before = await house.value("SELECT max(at) FROM calendar_syncs")
        await house.execute(statement, id=UUID(calendar["id"]))
    else:
        before = None

    async def seen() -> Json:
        last = await house.value("SELECT max(at) FROM calendar_syncs WHERE calendar_id = :id", id=UUID(calendar["id"]))
        assert last is not None
        assert before is None or last > before
        return succeeded(await as_host(house, listing, "GET", f"/{calendar['id']}"))

    return await eventually(seen)


async def address(house: House, listing: ListingSnapshot, method: str = "GET") -> str:
    answer = succeeded(await as_host(house, listing, method, "/address", params={"listing_id": str(listing.id)}))
    url: str = answer["url"]
    return url.partition("/api/v1")[2]


# ------------------------------------------------------------------------------------------------------------ out


async def test_a_secret_address_tells_other_sites_which_nights_are_taken(
    house: House, listing: ListingSnapshot, booking: Json
) -> None:
    answer = await house.client.get(f"/api/v1{await address(house, listing)}")

    assert answer.headers["Content-Type"] == "text/calendar; charset=utf-8"
    reading = parse(answer.content, timezone=listing.timezone, today=ARRIVAL, horizon=ARRIVAL + timedelta(days=99))
    [taken] = reading.taken.values()
    assert (taken.first, taken.end, taken.summary) == (ARRIVAL, ARRIVAL + timedelta(days=2), "Reserved")
    assert booking["guest_id"] not in answer.text


async def test_the_same_nights_are_the_same_file(house: House, listing: ListingSnapshot, booking: Json) -> None:
    path = f"/api/v1{await address(house, listing)}"
    first = await house.client.get(path)

    again = await house.client.get(path, headers={"If-None-Match": first.headers["ETag"]})
    await house.act(booking, "cancel", booking["guest_id"])
    changed = await house.client.get(path, headers={"If-None-Match": first.headers["ETag"]})

    assert (first.status_code, again.status_code, changed.status_code) == (200, 304, 200)
    assert first.headers["ETag"] != changed.headers["ETag"]


async def test_a_changed_address_makes_the_former_worthless(house: House, listing: ListingSnapshot) -> None:
    former = await address(house, listing)

    assert await address(house, listing) == former
    new = await address(house, listing, "POST")

    assert new != former
    assert (await house.client.get(f"/api/v1{former}")).status_code == 404
    assert (await house.client.get(f"/api/v1{new}")).status_code == 200


@pytest.mark.parametrize("secret", ["nobody's", "%00", "a%00b", "%F0%9F%8F%A0"])
async def test_an_address_that_is_nobodys_is_not_found_or_refused(house: House, secret: str) -> None:
    answer = await house.client.get(f"{API}/{secret}.ics")

    assert code(answer) == ((422, "validation_failed") if "%00" in secret else (404, "not_found"))


async def test_a_listing_of_several_units_is_taken_when_all_are(house: House) -> None:
    listing = await house.listing(units=2)
    path = f"/api/v1{await address(house, listing)}"

    await house.book(listing, uuid4())
    half = await house.client.get(path)
    await house.book(listing, uuid4())
    full = await house.client.get(path)

    assert (half.text.count("BEGIN:VEVENT"), full.text.count("BEGIN:VEVENT")) == (0, 1)


# ------------------------------------------------------------------------------------------------------------- in


async def test_what_is_taken_elsewhere_is_closed_here(house: House, listing: ListingSnapshot, site: Site) -> None:
    site.takes(("1", ARRIVAL, ARRIVAL + timedelta(days=1)))

    calendar = await follow(house, listing, site)

    assert await house.calendar(listing) == [0, 1]
    assert [(each["outcome"], each["events"], each["closed"]) for each in calendar["log"]] == [("synced", 1, 1)]
    quote = await house.ask_quote(listing.id, uuid4())
    assert code(quote) == (409, "dates_unavailable")


async def test_nights_follow_their_calendar(house: House, listing: ListingSnapshot, site: Site) -> None:
    site.takes(("1", ARRIVAL, ARRIVAL + timedelta(days=1)))
    calendar = await follow(house, listing, site)

    site.takes(("1", ARRIVAL + timedelta(days=1), ARRIVAL + timedelta(days=2)))
    calendar = await look(house, listing, calendar)

    assert await house.calendar(listing) == [1, 0]
    assert [(each["closed"], each["opened"]) for each in calendar["log"]] == [(1, 1), (1, 0)]


async def test_a_calendar_that_did_not_change_is_not_sent_again(
    house: House, listing: ListingSnapshot, site: Site
) -> None:
    site.takes(("1", ARRIVAL, ARRIVAL + timedelta(days=1)))
    site.etag = '"v1"'
    calendar = await follow(house, listing, site)

    calendar = await look(house, listing, calendar)

    assert site.asked[-1]["If-None-Match"] == '"v1"'
    assert calendar["log"][0]["outcome"] == "unchanged"
    assert await house.calendar(listing) == [0, 1]


async def test_a_site_that_fails_opens_no_night(house: House, listing: ListingSnapshot, site: Site) -> None:
    site.takes(("1", ARRIVAL, ARRIVAL + timedelta(days=1)))
    calendar = await follow(house, listing, site)

    site.status = 503
    calendar = await look(house, listing, calendar)
    site.status, site.content = 200, b"<html>please log in</html>"
    calendar = await look(house, listing, calendar)

    assert [each["outcome"] for each in calendar["log"]] == ["failed", "failed", "synced"]
    assert calendar["failures"] == 2
    assert await house.calendar(listing) == [0, 1]


async def test_nights_that_are_sold_here_stay_sold_and_the_host_is_told_once(
    house: House, listing: ListingSnapshot, booking: Json, site: Site
) -> None:
    site.takes(("1", ARRIVAL, ARRIVAL + timedelta(days=3)))

    calendar = await follow(house, listing, site)
    calendar = await look(house, listing, calendar)

    nights = [(ARRIVAL + timedelta(days=day)).isoformat() for day in range(2)]
    assert calendar["log"][0]["conflicts"] == nights
    assert (await house.read(booking))["status"] == "pending_payment"
    [told] = await house.facts(CalendarConflicted, calendar["id"])
    assert [night.isoformat() for night in told.data.nights] == nights


async def test_a_night_that_is_freed_here_is_closed_at_the_next_look(
    house: House, listing: ListingSnapshot, booking: Json, site: Site
) -> None:
    site.takes(("1", ARRIVAL, ARRIVAL + timedelta(days=2)))
    site.etag = '"v1"'
    calendar = await follow(house, listing, site)

    await house.act(booking, "cancel", booking["guest_id"])
    await look(house, listing, calendar)

    assert await house.calendar(listing) == [0, 0]


async def test_each_event_takes_one_unit(house: House, site: Site) -> None:
    listing = await house.listing(units=3)
    site.takes(("1", ARRIVAL, ARRIVAL + timedelta(days=2)), ("2", ARRIVAL, ARRIVAL + timedelta(days=1)))

    await follow(house, listing, site)

    assert await house.calendar(listing) == [1, 2]


async def test_a_calendar_that_is_followed_no_more_gives_its_nights_back(
    house: House, listing: ListingSnapshot, site: Site
) -> None:
    site.takes(("1", ARRIVAL, ARRIVAL + timedelta(days=2)))
    calendar = await follow(house, listing, site)

    answer = await as_host(house, listing, "DELETE", f"/{calendar['id']}")

    assert answer.status_code == 204
    assert await house.calendar(listing) == [1, 1]
    assert (await as_host(house, listing, "GET", f"/{calendar['id']}")).status_code == 404


async def test_what_another_site_took_is_not_told_to_others(house: House, listing: ListingSnapshot, site: Site) -> None:
    """Two sites that repeat each other's nights would never open them again."""
    site.takes(("1", ARRIVAL, ARRIVAL + timedelta(days=2)))
    await follow(house, listing, site)

    answer = await house.client.get(f"/api/v1{await address(house, listing)}")

    assert "BEGIN:VEVENT" not in answer.text


async def test_only_the_host_follows_and_sees_calendars(house: House, listing: ListingSnapshot, site: Site) -> None:
    calendar = await follow(house, listing, site)
    stranger = signed_in()
    new = {"listing_id": str(listing.id), "name": "Mine", "url": f"{site.url}?mine"}

    answers = [
        await house.client.get(f"{API}/{calendar['id']}", headers=stranger),
        await house.client.delete(f"{API}/{calendar['id']}", headers=stranger),
        await house.client.post(f"{API}/{calendar['id']}/sync", headers=stranger),
        await house.client.get(API, params={"listing_id": str(listing.id)}, headers=stranger),
        await house.client.get(f"{API}/address", params={"listing_id": str(listing.id)}, headers=stranger),
        await house.client.post(f"{API}/address", params={"listing_id": str(listing.id)}, headers=stranger),
        await house.client.post(API, json=new, headers=stranger),
    ]

    assert {answer.status_code for answer in answers} == {404}


async def test_a_listing_follows_each_calendar_once_and_not_too_many(
    house: House, listing: ListingSnapshot, site: Site
) -> None:
    bodies = [{"listing_id": str(listing.id), "name": "One", "url": f"{site.url}?{number}"} for number in range(11)]
    answers = [await as_host(house, listing, "POST", json=body) for body in bodies]
    again = await as_host(house, listing, "POST", json=bodies[0])

    assert [answer.status_code for answer in answers] == [201] * 10 + [409]
    assert code(answers[-1]) == (409, "too_many_calendars")
    assert code(again) == (409, "calendar_known")


@pytest.mark.parametrize(
    "url", ["ftp://example.com/a.ics", "file:///etc/passwd", "example.com/a.ics", "http://exämple.com"]
)
async def test_an_address_that_is_none_is_refused(house: House, listing: ListingSnapshot, url: str) -> None:
    answer = await as_host(house, listing, "POST", json={"listing_id": str(listing.id), "name": "Bad", "url": url})

    assert code(answer) == (422, "validation_failed")
    assert answer.json()["errors"][0]["pointer"] == "/url"


async def test_a_host_may_hurry_but_not_all_the_time(house: House, listing: ListingSnapshot, site: Site) -> None:
    calendar = await follow(house, listing, site)

    hurried = succeeded(await as_host(house, listing, "POST", f"/{calendar['id']}/sync"))
    await house.execute("UPDATE calendar_syncs SET at = now() - interval '2 minutes'")
    later = succeeded(await as_host(house, listing, "POST", f"/{calendar['id']}/sync"))

    assert hurried["sync_at"] == calendar["sync_at"]
    assert later["sync_at"] < calendar["sync_at"]
