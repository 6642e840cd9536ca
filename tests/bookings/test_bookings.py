"""Bookings: what guest and host do with them, and what nobody else may."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from nexus_bookings.bookings.models import LEGAL_MOVES, Booking, BookingStatus
from nexus_bookings.stays import instant, today
from nexus_contracts.bookings import (
    BookingAccepted,
    BookingCancelled,
    BookingDeclined,
    BookingHeld,
    BookingRequested,
    NightsChanged,
)
from nexus_contracts.envelope import Event
from nexus_kit.errors import IllegalTransition
from nexus_kit.testing import signed_in

from tests.bookings.given import ARRIVAL, House, Json, code, nights_from, succeeded


async def test_booking_a_quote_holds_its_nights_for_fifteen_minutes(house: House) -> None:
    listing, guest = await house.listing(), uuid4()
    quote = await house.quote(listing, guest)

    answer = await house.ask_booking(quote["id"], guest)

    booking = succeeded(answer)
    assert answer.status_code == 201
    assert answer.headers["location"] == f"/api/v1/bookings/{booking['id']}"
    assert booking["status"] == "pending_payment"
    held_for = datetime.fromisoformat(booking["expires_at"]) - datetime.now(UTC)
    assert timedelta(minutes=14) < held_for <= timedelta(minutes=15)
    assert (booking["guest_id"], booking["host_id"]) == (str(guest), str(listing.host_id))
    assert booking["total"] == quote["total"]
    assert await house.calendar(listing) == [0, 0]


async def test_the_facts_of_a_hold_say_enough_to_tell_both_parties(house: House) -> None:
    listing, guest = await house.listing(), uuid4()

    booking = await house.book(listing, guest)

    [held] = await house.facts(BookingHeld)
    assert held.sequence == 1
    assert held.subject == UUID(booking["id"])
    assert (held.data.guest_id, held.data.host_id) == (guest, listing.host_id)
    assert (held.data.listing_title, held.data.timezone) == ("Lakeside cabin", "Africa/Addis_Ababa")
    assert held.data.total.model_dump() == booking["total"]
    [changed] = await house.facts(NightsChanged)
    assert (changed.sequence, changed.data.sold_out) == (1, [ARRIVAL, ARRIVAL + timedelta(days=1)])


# ---------------------------------------------------------------------------------------------- safe to retry


async def test_fifty_retries_at_once_make_one_booking_and_one_answer(house: House) -> None:
    listing, guest = await house.listing(units=3), uuid4()
    quote = await house.quote(listing, guest)

    answers = await asyncio.gather(*(house.ask_booking(quote["id"], guest, key="one wish") for _ in range(50)))
    after = await house.ask_booking(quote["id"], guest, key="one wish")

    assert {each.status_code for each in answers} <= {201, 409}
    assert {each.json()["code"] for each in answers if each.status_code == 409} <= {"idempotency_in_progress"}
    bookings = [each.content for each in (*answers, after) if each.status_code == 201]
    assert len(set(bookings)) == 1
    assert after.headers["idempotency-replayed"] == "true"
    assert await house.value("SELECT count(*) FROM bookings") == 1
    assert await house.calendar(listing) == [2, 2]


async def test_a_refused_booking_leaves_its_key_free(house: House) -> None:
    listing, guest = await house.listing(), uuid4()
    quote, other = await house.quote(listing, guest), await house.book(listing, uuid4())
    assert code(await house.ask_booking(quote["id"], guest, key="again")) == (409, "dates_unavailable")

    await house.act(other, "cancel", other["guest_id"])
    answer = await house.ask_booking(quote["id"], guest, key="again")

    assert answer.status_code == 201


async def test_a_key_belongs_to_one_request(house: House) -> None:
    listing, guest = await house.listing(units=2), uuid4()
    first, second = await house.quote(listing, guest), await house.quote(listing, guest)
    await house.ask_booking(first["id"], guest, key="k")

    assert code(await house.ask_booking(second["id"], guest, key="k")) == (422, "idempotency_key_reused")


async def test_booking_and_cancelling_need_a_key(house: House) -> None:
    guest = uuid4()
    booking = await house.book(await house.listing(), guest)
    headers = signed_in(guest)

    unkeyed = await house.client.post("/api/v1/bookings", json={"quote_id": str(uuid4())}, headers=headers)
    cancelled = await house.client.post(f"/api/v1/bookings/{booking['id']}/cancel", headers=headers)

    assert code(unkeyed) == code(cancelled) == (400, "idempotency_key_required")


async def test_cancelling_twice_with_one_key_is_one_cancellation(house: House) -> None:
    booking = await house.book(await house.listing(), uuid4())

    first = await house.act(booking, "cancel", booking["guest_id"], key="enough")
    second = await house.act(booking, "cancel", booking["guest_id"], key="enough")

    assert first.json() == second.json()
    assert len(await house.facts(BookingCancelled)) == 1


# ---------------------------------------------------------------------------------------------- the quote


@pytest.mark.parametrize("units", [1, 2])
async def test_a_quote_is_booked_once(house: House, units: int) -> None:
    listing, guest = await house.listing(units=units), uuid4()
    quote = await house.quote(listing, guest)
    await house.ask_booking(quote["id"], guest)

    assert code(await house.ask_booking(quote["id"], guest)) == (409, "quote_used")
    assert await house.calendar(listing) == [units - 1] * 2


async def test_an_expired_quote_is_not_booked(house: House) -> None:
    listing, guest = await house.listing(), uuid4()
    quote = await house.quote(listing, guest)
    await house.execute("UPDATE quotes SET valid_until = now()")

    assert code(await house.ask_booking(quote["id"], guest)) == (409, "quote_expired")


async def test_somebody_elses_quote_does_not_exist(house: House) -> None:
    quote = await house.quote(await house.listing(), uuid4())

    assert code(await house.ask_booking(quote["id"], uuid4())) == (404, "not_found")
    assert code(await house.ask_booking(str(uuid4()), uuid4())) == (404, "not_found")


async def test_booking_needs_a_verified_address(house: House) -> None:
    guest = uuid4()
    quote = await house.quote(await house.listing(), guest)
    headers = {**signed_in(guest, email_verified=False), "Idempotency-Key": "k"}

    answer = await house.client.post("/api/v1/bookings", json={"quote_id": quote["id"]}, headers=headers)

    assert code(answer) == (403, "email_not_verified")


# ---------------------------------------------------------------------------------------------- requests


async def test_a_request_waits_for_the_host_and_then_for_the_money(house: House) -> None:
    listing = await house.listing(instant_book=False)
    booking = await house.book(listing, uuid4())
    assert booking["status"] == "requested"
    assert await house.calendar(listing) == [0, 0]

    accepted = succeeded(await house.act(booking, "accept", listing.host_id))

    assert accepted["status"] == "pending_payment"
    held_for = datetime.fromisoformat(accepted["expires_at"]) - datetime.now(UTC)
    assert timedelta(minutes=14) < held_for <= timedelta(minutes=15)
    assert [each.sequence for each in await house.facts(BookingRequested)] == [1]
    assert [each.sequence for each in await house.facts(BookingAccepted)] == [2]


async def test_a_host_has_a_day_to_answer_but_not_past_check_in(house: House) -> None:
    listing = await house.listing(instant_book=False, timezone="Etc/GMT+12")
    tomorrow = today(listing.timezone) + timedelta(days=1)
    check_in = instant(tomorrow, listing.check_in_time, listing.timezone)

    far = await house.book(listing, uuid4())
    near = await house.book(listing, uuid4(), **nights_from(tomorrow, 1))

    in_a_day = datetime.now(UTC) + timedelta(hours=24)
    assert abs(datetime.fromisoformat(far["expires_at"]) - in_a_day) < timedelta(minutes=1)
    assert abs(datetime.fromisoformat(near["expires_at"]) - min(check_in, in_a_day)) < timedelta(minutes=1)


async def test_declining_frees_the_nights(house: House) -> None:
    listing = await house.listing(instant_book=False)
    booking = await house.book(listing, uuid4())

    declined = succeeded(await house.act(booking, "decline", listing.host_id))

    assert (declined["status"], declined["expires_at"]) == ("declined", None)
    assert await house.calendar(listing) == [1, 1]
    assert len(await house.facts(BookingDeclined, booking["id"])) == 1
    [_, freed] = await house.facts(NightsChanged)
    assert (freed.sequence, freed.data.freed) == (2, [ARRIVAL, ARRIVAL + timedelta(days=1)])


@pytest.mark.parametrize(("verb", "kind"), [("accept", BookingAccepted), ("decline", BookingDeclined)])
async def test_an_answer_that_is_sent_again_with_its_key_is_answered_again(
    house: House, verb: str, kind: type[Event]
) -> None:
    listing = await house.listing(instant_book=False)
    booking = await house.book(listing, uuid4())

    first, again, another = [await house.act(booking, verb, listing.host_id, key=key) for key in ("k", "k", "l")]

    assert succeeded(first) == again.json()
    assert again.headers["Idempotency-Replayed"] == "true"
    assert code(another) == (409, "illegal_transition")
    assert len(await house.facts(kind, booking["id"])) == 1


@pytest.mark.parametrize(("verb", "status"), [("accept", "pending_payment"), ("decline", "declined")])
async def test_an_answer_needs_no_key(house: House, verb: str, status: str) -> None:
    """Sent again, it moves nothing a second time: it is refused."""
    listing = await house.listing(instant_book=False)
    booking = await house.book(listing, uuid4())
    url = f"/api/v1/bookings/{booking['id']}/{verb}"

    first, again = [await house.client.post(url, headers=signed_in(listing.host_id)) for _ in range(2)]

    assert succeeded(first)["status"] == status
    assert code(again) == (409, "illegal_transition")


async def test_only_the_host_answers_a_request(house: House) -> None:
    listing = await house.listing(instant_book=False)
    booking = await house.book(listing, uuid4())

    assert code(await house.act(booking, "accept", booking["guest_id"])) == (403, "only_the_host")
    assert code(await house.act(booking, "decline", uuid4())) == (404, "not_found")


async def test_a_host_who_answers_too_late_is_told_so(house: House) -> None:
    listing = await house.listing(instant_book=False)
    booking = await house.book(listing, uuid4())
    await house.overdue(booking)

    assert code(await house.act(booking, "accept", listing.host_id)) == (409, "illegal_transition")


# ---------------------------------------------------------------------------------------------- moves


@pytest.mark.parametrize(
    ("status", "verb", "by"),
    [
        ("pending_payment", "accept", "host_id"),
        ("pending_payment", "decline", "host_id"),
        ("cancelled", "cancel", "guest_id"),
        ("cancelled", "accept", "host_id"),
        ("expired", "cancel", "host_id"),
        ("expired", "decline", "host_id"),
        ("declined", "cancel", "guest_id"),
        ("completed", "cancel", "guest_id"),
    ],
)
async def test_an_illegal_move_is_refused_and_changes_nothing(house: House, status: str, verb: str, by: str) -> None:
    booking = await house.book(await house.listing(), uuid4())
    await house.execute(
        """UPDATE bookings SET status = cast(:status AS text),
                               expires_at = CASE WHEN cast(:status AS text) = 'pending_payment' THEN expires_at END,
                               cancelled_by = CASE WHEN cast(:status AS text) = 'cancelled' THEN 'guest' END,
                               refund_amount = CASE WHEN cast(:status AS text) = 'cancelled' THEN 0 END""",
        status=status,
    )
    before = await house.read(booking)

    answer = await house.act(booking, verb, booking[by])

    assert code(answer) == (409, "illegal_transition")
    assert await house.read(booking) == before


@pytest.mark.parametrize("origin", BookingStatus)
@pytest.mark.parametrize("target", BookingStatus)
def test_a_move_is_made_if_and_only_if_the_table_has_it(origin: BookingStatus, target: BookingStatus) -> None:
    booking = Booking(status=origin, version=7)

    if target in LEGAL_MOVES[origin]:
        booking.move(target)
        assert (booking.status, booking.version) == (target, 8)
    else:
        with pytest.raises(IllegalTransition):
            booking.move(target)
        assert (booking.status, booking.version) == (origin, 7)


@pytest.mark.parametrize(("party", "free_units"), [("guest", [1, 1]), ("host", [0, 0])])
async def test_either_party_cancels_an_unpaid_booking_and_nothing_comes_back(
    house: House, party: str, free_units: list[int]
) -> None:
    listing = await house.listing()
    booking = await house.book(listing, uuid4())
    preview = succeeded(
        await house.client.get(
            f"/api/v1/bookings/{booking['id']}/cancellation-preview", headers=signed_in(UUID(booking[f"{party}_id"]))
        )
    )

    cancelled = succeeded(await house.act(booking, "cancel", booking[f"{party}_id"]))

    assert (cancelled["status"], cancelled["cancelled_by"]) == ("cancelled", party)
    assert preview["refund"] == cancelled["refund"] == {"amount": 0, "currency": "ETB"}
    assert await house.calendar(listing) == free_units
    [fact] = await house.facts(BookingCancelled, booking["id"])
    assert (fact.sequence, fact.data.cancelled_by) == (2, party)


# ---------------------------------------------------------------------------------------------- reading


async def test_strangers_see_nothing(house: House) -> None:
    booking = await house.book(await house.listing(), uuid4())
    stranger = signed_in(uuid4())
    url = f"/api/v1/bookings/{booking['id']}"

    answers = [
        await house.client.get(url, headers=stranger),
        await house.client.get(f"{url}/cancellation-preview", headers=stranger),
        await house.client.get(f"{url}/payments", headers=stranger),
        await house.act(booking, "cancel", uuid4()),
        await house.act(booking, "payments", uuid4()),
        await house.act(booking, "accept", uuid4()),
    ]

    assert [code(answer) for answer in answers] == [(404, "not_found")] * 6
    assert (await house.client.get(url)).status_code == 401
    assert code(await house.client.get("/api/v1/bookings/7", headers=stranger)) == (422, "validation_failed")


async def test_a_booking_that_has_not_changed_is_not_sent_again(house: House) -> None:
    booking = await house.book(await house.listing(), uuid4())
    url, headers = f"/api/v1/bookings/{booking['id']}", signed_in(UUID(booking["host_id"]))
    etag = (await house.client.get(url, headers=headers)).headers["etag"]

    same = await house.client.get(url, headers={**headers, "If-None-Match": etag})
    await house.act(booking, "cancel", booking["guest_id"])
    other = await house.client.get(url, headers={**headers, "If-None-Match": etag})

    assert (same.status_code, other.status_code) == (304, 200)


async def test_parties_list_their_bookings_newest_first_page_by_page(house: House) -> None:
    listing, guest = await house.listing(units=5), uuid4()
    booked = [await house.book(listing, guest) for _ in range(3)]
    await house.book(listing, uuid4())
    await house.act(booked[0], "cancel", guest)

    async def listed(user: UUID, **query: Any) -> dict[str, Any]:
        return succeeded(await house.client.get("/api/v1/bookings", params=query, headers=signed_in(user)))

    first = await listed(guest, limit=2)
    second = await listed(guest, limit=2, cursor=first["next_cursor"])

    newest_first = [each["id"] for each in reversed(booked)]
    assert [each["id"] for each in first["items"] + second["items"]] == newest_first
    assert second["next_cursor"] is None
    assert len((await listed(listing.host_id, role="host"))["items"]) == 4
    assert (await listed(listing.host_id))["items"] == []
    assert [each["id"] for each in (await listed(guest, status="cancelled"))["items"]] == [booked[0]["id"]]


async def test_a_cursor_is_bound_to_its_list(house: House) -> None:
    listing, guest = await house.listing(units=5), uuid4()
    for _ in range(2):
        await house.book(listing, guest)
    page = await house.client.get("/api/v1/bookings", params={"limit": 1}, headers=signed_in(guest))
    cursor = page.json()["next_cursor"]

    other_user = await house.client.get("/api/v1/bookings", params={"cursor": cursor}, headers=signed_in())
    other_filter = await house.client.get(
        "/api/v1/bookings", params={"cursor": cursor, "role": "host"}, headers=signed_in(guest)
    )
    unknown = await house.client.get("/api/v1/bookings", params={"rolle": "host"}, headers=signed_in(guest))

    assert code(other_user) == code(other_filter) == (400, "cursor_mismatch")
    assert code(unknown) == (422, "validation_failed")


async def test_the_page_that_names_the_payer_is_shown_to_nobody_else(house: House, booking: Json) -> None:
    payment = await house.pay(booking)
    url = f"/api/v1/bookings/{booking['id']}/payments"

    [seen_by_guest], [seen_by_host] = [
        succeeded(await house.client.get(url, headers=signed_in(UUID(booking[party]))))["items"]
        for party in ("guest_id", "host_id")
    ]

    assert seen_by_guest["checkout_url"] == payment["checkout_url"]
    assert seen_by_host == seen_by_guest | {"checkout_url": None}
