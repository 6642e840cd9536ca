"""The timeline: every move of a booking, with who made it, when, and why; and what each party sees of the price."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

from nexus_kit.testing import signed_in

from tests.bookings.given import House, Json, code, succeeded


async def timeline(house: House, booking: Json, user: Any = None) -> list[Json]:
    url = f"/api/v1/bookings/{booking['id']}/timeline"
    answer = await house.client.get(url, headers=signed_in(UUID(str(user or booking["guest_id"]))))
    items: list[Json] = succeeded(answer)["items"]
    return items


def moves(items: list[Json]) -> list[tuple[str, str, str]]:
    return [(item["what"], item["status"], item["by"]) for item in items]


async def test_every_move_has_who_and_when_and_why(house: House) -> None:
    listing = await house.listing(instant_book=False)
    booking = await house.book(listing, uuid4())
    succeeded(await house.act(booking, "accept", listing.host_id))
    await house.press(await house.pay(booking))
    await house.becomes(booking, "confirmed")
    await house.act(booking, "cancel", booking["guest_id"])

    items = await timeline(house, booking)

    assert moves(items) == [
        ("requested", "requested", "guest"),
        ("accepted", "pending_payment", "host"),
        ("confirmed", "confirmed", "system"),
        ("cancelled", "cancelled", "guest"),
    ]
    assert [item["why"] for item in items] == [None, None, "The money arrived.", None]
    instants = [datetime.fromisoformat(item["at"]) for item in items]
    assert instants == sorted(instants)
    assert datetime.now(UTC) - instants[0] < timedelta(minutes=1)
    assert await timeline(house, booking, listing.host_id) == items


async def test_what_time_does_is_the_systems_doing(house: House) -> None:
    held = await house.book(await house.listing(), uuid4())
    asked = await house.book(await house.listing(instant_book=False), uuid4())

    for booking in (held, asked):
        await house.overdue(booking)
        await house.becomes(booking, "expired")

    whys = ["Nobody paid in time.", "The host did not answer in time."]
    assert [(await timeline(house, each))[-1]["why"] for each in (held, asked)] == whys


async def test_a_move_that_is_refused_leaves_no_line(house: House, booking: Json) -> None:
    await house.act(booking, "cancel", booking["guest_id"])

    again = await house.act(booking, "cancel", booking["guest_id"])

    assert code(again) == (409, "illegal_transition")
    assert moves(await timeline(house, booking))[1:] == [("cancelled", "cancelled", "guest")]


async def test_nobody_else_reads_it(house: House, booking: Json) -> None:
    url = f"/api/v1/bookings/{booking['id']}/timeline"

    assert code(await house.client.get(url, headers=signed_in(uuid4()))) == (404, "not_found")


async def test_only_the_host_sees_what_the_host_gets(house: House, booking: Json) -> None:
    url = f"/api/v1/bookings/{booking['id']}"

    guest, host = [
        succeeded(await house.client.get(url, headers=signed_in(UUID(booking[party]))))
        for party in ("guest_id", "host_id")
    ]

    assert host["price"]["host_payout"]["amount"] == 921_500
    assert {"host_payout", "host_fee"} == host["price"].keys() - guest["price"].keys()
    assert guest["price"].keys() < host["price"].keys()
    assert guest | {"price": None} == host | {"price": None}
