"""A guest saves a search, is mailed what is new in it, and stops the mails by one click, with every process real."""

from typing import Any

import asyncpg
import httpx

from tests.actors import Actor, eventually
from tests.suite import Suite


async def test_new_places_are_mailed_until_one_click_stops_the_mails(
    suite: Suite, host: Actor, guest: Actor, anybody: Actor
) -> None:
    filters = {"q": "lighthouse", "city": "Bahir Dar"}
    stopped = await guest.post("/saved-searches", {"name": "Stopped", "filters": filters})
    await guest.post("/saved-searches", {"name": "Going on", "filters": filters})
    first = await host.publish_listing(title="Lighthouse in the north")

    await a_day_passes(suite, guest)

    mail = await guest.mail_about("Stopped")
    assert "Lighthouse in the north" in mail["Text"]
    assert f"{guest.gateway}/api/v1/listings/{first['id']}" in mail["Text"]
    headers = await headers_of(guest, mail)
    assert headers["List-Unsubscribe-Post"] == ["List-Unsubscribe=One-Click"]
    address = headers["List-Unsubscribe"][0].strip("<>")
    assert address.startswith(f"{guest.gateway}/api/v1/saved-searches/{stopped['id']}/unsubscribe?token=")
    call = address.removeprefix(f"{guest.gateway}/api/v1")

    followed = await anybody.call("GET", call)
    assert followed.status_code == 303
    page = await anybody.call("GET", f"{guest.gateway}{followed.headers['Location'].partition('#')[0]}")
    assert "<form" in page.text
    assert (await guest.get(f"/saved-searches/{stopped['id']}"))["notify"] == "daily"

    for _ in range(2):
        clicked = await anybody.call("POST", call, data={"List-Unsubscribe": "One-Click"})
        assert (clicked.status_code, clicked.content) == (204, b"")
    assert (await guest.get(f"/saved-searches/{stopped['id']}"))["notify"] == "never"

    await host.publish_listing(title="Lighthouse in the south")
    await a_day_passes(suite, guest)

    await eventually(lambda: mails_are(guest, '1 new place for "Going on"', 2))
    await mails_are(guest, '1 new place for "Stopped"', 1)


async def test_favourites_are_kept_through_the_gateway(host: Actor, guest: Actor) -> None:
    listing = await host.publish_listing(title="To remember")

    kept = await guest.call("PUT", f"/favourites/{listing['id']}")

    assert kept.status_code == 204
    (favourite,) = (await guest.get("/favourites"))["items"]
    assert favourite["listing"]["title"] == "To remember"


async def a_day_passes(suite: Suite, person: Actor) -> None:
    """For the listings and this person's searches, whose looks become due."""
    user_id = (await person.get("/auth/me"))["id"]
    connection = await asyncpg.connect(suite.database_url("listings"))
    try:
        await connection.execute("UPDATE listings SET published_at = published_at - interval '25 hours'")
        await connection.execute(
            "UPDATE saved_searches SET looked_until = looked_until - interval '25 hours',"
            " next_look_at = next_look_at - interval '25 hours' WHERE user_id = $1",
            user_id,
        )
    finally:
        await connection.close()


async def mails_are(person: Actor, subject: str, count: int) -> None:
    """So many mails with this subject have come."""
    assert [mail["Subject"] for mail in await person.mails()].count(subject) == count


async def headers_of(person: Actor, mail: dict[str, Any]) -> dict[str, list[str]]:
    """As the mail server was handed them."""
    async with httpx.AsyncClient(base_url=person.mailbox) as client:
        headers: dict[str, list[str]] = (await client.get(f"/api/v1/message/{mail['ID']}/headers")).json()
        return headers
