"""The story that Nexus exists for, through the gateway, with every process real. Read it before anything else.

`host` and `guest` have just registered and proved their addresses by the token in a mail (`tests/actors.py`).
"""

from datetime import date, timedelta

from tests.actors import Actor

ARRIVAL = date.today() + timedelta(days=30)  # noqa: DTZ011 - a date well ahead in any zone
STAY = {"check_in": ARRIVAL.isoformat(), "check_out": (ARRIVAL + timedelta(days=3)).isoformat(), "guests": 2}


async def test_guest_books_pays_and_host_is_emailed(host: Actor, guest: Actor, anybody: Actor) -> None:
    listing = await host.publish_listing(title="Lakeside cabin at Zege")

    found = await anybody.get("/listings", q="zege cabin")
    assert [card["id"] for card in found["items"]] == [listing["id"]]

    quote = await guest.post("/quotes", {"listing_id": listing["id"], **STAY})
    assert [night["price"]["amount"] for night in quote["nights"]] == [450000] * 3

    booking = await guest.post("/bookings", {"quote_id": quote["id"]})
    assert booking["status"] == "pending_payment"
    assert booking["total"] == quote["total"]

    nights = await anybody.get(f"/availability/{listing['id']}", **{"from": STAY["check_in"], "to": STAY["check_out"]})
    assert [night["free_units"] for night in nights["items"]] == [0, 0, 0]

    payment = await guest.post(f"/bookings/{booking['id']}/payments")
    assert payment["amount"] == quote["total"]

    await guest.pay(payment["checkout_url"])

    await guest.sees(f"/bookings/{booking['id']}", status="confirmed")
    await host.sees(f"/bookings/{booking['id']}", status="confirmed")

    receipt = await guest.mail_about("Lakeside cabin at Zege")
    assert "ETB" in receipt["Text"]

    news = await host.mail_about("Lakeside cabin at Zege")
    assert guest.email not in news["Text"]
