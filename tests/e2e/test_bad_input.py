"""Whatever is sent, the answer is a problem document with a stable code: never a 500, never a traceback."""

import json
from datetime import date, timedelta
from typing import Any
from uuid import uuid4

import pytest

from tests.actors import LISTING, Actor

TODAY = date.today()  # noqa: DTZ011 - days are compared with a margin
FOREIGN = str(uuid4())
KEY = {"Idempotency-Key": "one"}


def day(ahead: int) -> str:
    return (TODAY + timedelta(days=ahead)).isoformat()


def assert_problem(answer: Any, status: int, code: str | None = None) -> None:
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.headers["x-request-id"] == answer.json()["request_id"]
    assert {"type", "title", "status", "detail", "code"} <= answer.json().keys()
    if code is not None:
        assert answer.json()["code"] == code


@pytest.mark.parametrize(
    ("method", "path", "status", "code"),
    [
        ("GET", "/listings?colour=red", 422, "validation_failed"),
        ("GET", "/listings?min_price=9&max_price=1", 422, "validation_failed"),
        ("GET", "/listings?limit=101", 422, "validation_failed"),
        ("GET", "/listings?limit=many", 422, "validation_failed"),
        ("GET", "/listings?cursor=made-up", 400, "invalid_cursor"),
        ("GET", f"/listings?check_in={day(5)}&check_out={day(5)}", 422, "validation_failed"),
        ("GET", "/listings?q=%00", 422, "validation_failed"),
        ("GET", "/listings?q=%ff%fe", 200, None),
        ("GET", "/listings/not-an-id", 422, "validation_failed"),
        ("GET", f"/listings/{FOREIGN}", 404, "not_found"),
        ("GET", f"/availability/{FOREIGN}?from={day(1)}&to={day(2)}", 404, None),
        ("GET", "/nowhere", 404, "not_found"),
        ("GET", "/internal/events", 404, "not_found"),
        ("DELETE", "/listings", 405, "method_not_allowed"),
        ("GET", "/bookings", 401, "not_authenticated"),
        ("POST", "/bookings", 401, "not_authenticated"),
        ("POST", "/payments/chapa/webhook", 401, None),
    ],
)
async def test_a_bad_address_or_parameter(
    anybody: Actor, method: str, path: str, status: int, code: str | None
) -> None:
    answer = await anybody.call(method, path)

    if status == 200:
        assert answer.status_code == 200
    else:
        assert_problem(answer, status, code)


@pytest.mark.parametrize(
    ("content", "content_type", "status"),
    [
        (b"{", "application/json", 422),
        (b"[]", "application/json", 422),
        (b"null", "application/json", 422),
        (b"\xff\xfe", "application/json", 422),
        (b'{"email": 7, "password": {}, "full_name": []}', "application/json", 422),
        (
            b'{"email": "a@example.com", "password": "long enough indeed", "full_name": "A", "admin": true}',
            "application/json",
            422,
        ),
        (
            b'{"email": "a@example.com\\u0000", "password": "long enough indeed", "full_name": "A"}',
            "application/json",
            422,
        ),
        (b"email=a", "application/x-www-form-urlencoded", 415),
        (b"<a/>", "text/xml", 415),
        (b'{"email": "' + b"a" * 2_000_000 + b'"}', "application/json", 413),
        (b"[" * 100_000, "application/json", 400),
    ],
)
async def test_a_bad_body(anybody: Actor, content: bytes, content_type: str, status: int) -> None:
    answer = await anybody.call("POST", "/auth/register", content=content, headers={"Content-Type": content_type})

    assert_problem(answer, status)


@pytest.mark.parametrize(
    "token",
    ["x", "a.b.c", "a" * 5000, "é", "eyJhbGciOiJub25lIn0.e30.", "Bearer x"],
)
async def test_a_bad_token(anybody: Actor, token: str) -> None:
    answer = await anybody.call("GET", "/bookings", headers={b"Authorization": f"Bearer {token}".encode()})

    assert_problem(answer, 401)
    assert answer.headers["www-authenticate"].startswith("Bearer")


async def test_a_tampered_token_is_refused(guest: Actor) -> None:
    pair = await guest.sign_in()
    head, body, signature = pair["access_token"].split(".")

    for forged in (f"{head}.{body}.{signature[::-1]}", f"{head}.{body[:-2]}AA.{signature}", f"{head}.{body}."):
        guest.carry(forged)
        assert_problem(await guest.call("GET", "/bookings"), 401)


@pytest.mark.parametrize(
    ("stay", "status", "code"),
    [
        ({"check_in": day(10), "check_out": day(9)}, 422, None),
        ({"check_in": day(10), "check_out": day(10)}, 422, None),
        ({"check_in": day(-5), "check_out": day(2)}, 422, "check_in_past"),
        ({"check_in": day(10), "check_out": day(60)}, 422, "maximum_stay"),
        ({"check_in": day(10), "check_out": day(11), "guests": 0}, 422, "validation_failed"),
        ({"check_in": day(10), "check_out": day(11), "guests": 99}, 422, "too_many_guests"),
        ({"check_in": day(10), "check_out": day(11), "guests": True}, 422, "validation_failed"),
        ({"check_in": day(10), "check_out": day(11), "guests": "2"}, 422, "validation_failed"),
        ({"check_in": 1796774400, "check_out": day(11)}, 422, "validation_failed"),
        ({"check_in": f"{day(10)}T00:00:00", "check_out": day(11)}, 422, "validation_failed"),
        ({"check_in": "2026-02-30", "check_out": day(11)}, 422, "validation_failed"),
        ({"check_in": day(10), "check_out": day(11), "total": 1}, 422, "validation_failed"),
        ({"check_in": day(10), "check_out": day(11), "listing_id": FOREIGN}, 404, None),
    ],
)
async def test_a_stay_that_cannot_be(
    host: Actor, guest: Actor, stay: dict[str, Any], status: int, code: str | None
) -> None:
    listing = await host.publish_listing()

    answer = await guest.call("POST", "/quotes", json={"listing_id": listing["id"], "guests": 2} | stay)

    assert_problem(answer, status, code)


async def test_what_belongs_to_somebody_else_is_not_there(host: Actor, guest: Actor) -> None:
    listing = await host.publish_listing()
    quote = await host.call(
        "POST", "/quotes", json={"listing_id": listing["id"], "check_in": day(9), "check_out": day(10), "guests": 1}
    )
    assert_problem(quote, 409 if quote.status_code == 409 else 403, "own_listing")

    assert_problem(await guest.call("DELETE", f"/listings/{listing['id']}"), 404, "not_found")
    assert_problem(await guest.call("POST", f"/listings/{listing['id']}/unpublish"), 404, "not_found")
    assert_problem(await guest.call("GET", f"/bookings/{FOREIGN}"), 404, "not_found")
    assert_problem(await guest.call("POST", f"/bookings/{FOREIGN}/cancel", headers=KEY), 404, "not_found")


async def test_a_change_needs_the_version_it_was_made_from(host: Actor) -> None:
    listing = await host.publish_listing()
    path, body = f"/listings/{listing['id']}", {"title": "A better title"}

    assert_problem(await host.call("PATCH", path, json=body), 428, "precondition_required")
    assert_problem(await host.call("PATCH", path, json=body, headers={"If-Match": '"0"'}), 412, "precondition_failed")


async def test_an_unverified_user_may_sign_in_but_neither_publish_nor_book(anybody: Actor) -> None:
    await anybody.post(
        "/auth/register", {"email": anybody.email, "password": "long enough indeed", "full_name": "Early"}
    )
    await anybody.sign_in("long enough indeed")
    draft = await anybody.post("/listings", LISTING)

    published = await anybody.call("POST", f"/listings/{draft['id']}/publish")
    booked = await anybody.call(
        "POST",
        "/bookings",
        content=json.dumps({"quote_id": FOREIGN}),
        headers=KEY | {"Content-Type": "application/json"},
    )

    assert_problem(published, 403, "email_not_verified")
    assert_problem(booked, 403, "email_not_verified")


async def test_moving_nights_needs_an_idempotency_key(guest: Actor) -> None:
    answer = await guest.call("POST", "/bookings", json={"quote_id": FOREIGN})

    assert_problem(answer, 400, "idempotency_key_required")
