"""A guest changes their mind: the money comes back, the nights are free, both are told."""

from datetime import date, timedelta

from tests.actors import Actor

ARRIVAL = date.today() + timedelta(days=45)  # noqa: DTZ011 - a date well ahead in any zone
STAY = {"check_in": ARRIVAL.isoformat(), "check_out": (ARRIVAL + timedelta(days=2)).isoformat(), "guests": 2}


async def test_a_paid_booking_is_cancelled_with_a_full_refund(host: Actor, guest: Actor) -> None:
    listing = await host.publish_listing(title="Harar house")
    quote = await guest.post("/quotes", {"listing_id": listing["id"], **STAY})
    booking = await guest.post("/bookings", {"quote_id": quote["id"]})
    payment = await guest.post(f"/bookings/{booking['id']}/payments")
    await guest.pay(payment["checkout_url"])
    await guest.sees(f"/bookings/{booking['id']}", status="confirmed")

    preview = await guest.get(f"/bookings/{booking['id']}/cancellation-preview")
    cancelled = await guest.post(f"/bookings/{booking['id']}/cancel")

    assert preview["refund"] == cancelled["refund"] == quote["total"]
    calendar = await guest.get(f"/availability/{listing['id']}", **{"from": STAY["check_in"], "to": STAY["check_out"]})
    assert [night["free_units"] for night in calendar["items"]] == [1, 1]
    assert await guest.mail_about("efund")
    assert await host.mail_about("ancel")
