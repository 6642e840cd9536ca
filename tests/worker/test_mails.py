"""Each mail reaches the right person, says what happened in plain words, and can be trusted."""

import html
import json
from typing import Any
from uuid import uuid4

import pytest
from nexus_contracts import auth, bookings
from nexus_contracts.bookings import BookingFact, Party
from nexus_contracts.money import Money
from nexus_kit.testing import Service
from nexus_worker.mail.people import OneTimeToken, Recipient
from pydantic import BaseModel, ValidationError

from tests.worker.peers import TOKEN
from tests.worker.world import EXPIRES, MANY_BIRR, World, booking, eventually, inbox_holds

STAY = ("Lakeside cabin", "Monday, 7 December 2026", "Thursday, 10 December 2026", "ETB 14,000.00")
DEADLINE = "Monday, 7 December 2026, 14:30 East Africa Time"


@pytest.mark.parametrize(
    ("fact", "subject", "link", "call"),
    [
        (auth.EmailVerificationRequested, "Verify your e-mail address", "verify-email", "auth/verify-email"),
        (auth.PasswordResetRequested, "Set a new password", "reset-password", "auth/reset-password"),
    ],
)
async def test_a_mail_with_a_token_offers_a_link_and_the_call(
    world: World, fact: Any, subject: str, link: str, call: str
) -> None:
    user = world.auth.user("Abeba Bekele")

    await world.happens(fact(user_id=user))

    mail = await world.the_mail_to(user)
    assert mail["Subject"] == subject
    assert mail["To"] == [{"Name": "Abeba Bekele", "Address": world.auth.address(user)}]
    for part in ("Text", "HTML"):
        assert f"https://nexus.test/#{link}?token={TOKEN}" in mail[part]
        assert f"POST https://nexus.test/api/v1/{call}" in mail[part]
        assert "Monday, 7 December 2026, 11:30 Coordinated Universal Time" in mail[part]


async def test_somebody_who_registers_again_is_told_that_they_have_an_account(world: World) -> None:
    user = world.auth.user()

    await world.happens(auth.RegistrationRepeated(user_id=user))

    assert (await world.the_mail_to(user))["Subject"] == "You are already registered"


@pytest.mark.parametrize(
    ("kind", "to", "subject", "words"),
    [
        (bookings.BookingRequested, "host", "Booking request for Lakeside cabin", (*STAY, DEADLINE)),
        (bookings.BookingAccepted, "guest", "Accepted: pay for your stay at Lakeside cabin", (*STAY, DEADLINE)),
        (bookings.BookingDeclined, "guest", "Declined: your request for Lakeside cabin", STAY),
        (bookings.BookingConfirmed, "host", "New booking for Lakeside cabin", STAY),
        (bookings.BookingConfirmed, "guest", "Confirmed: your booking at Lakeside cabin", STAY),
        (
            bookings.BookingCancelled,
            "host",
            "Cancelled: booking for Lakeside cabin",
            (*STAY, "Your guest", "ETB 50.05"),
        ),
        (bookings.BookingCancelled, "guest", "Cancelled: your stay at Lakeside cabin", (*STAY, "You", "ETB 50.05")),
        (
            bookings.BookingExpired,
            "guest",
            "Ended: your hold on Lakeside cabin",
            (*STAY, "still on its way, you get the nights or your money back"),
        ),
    ],
)
async def test_the_parties_of_a_booking_are_told(
    world: World, kind: type[BookingFact], to: str, subject: str, words: tuple[str, ...]
) -> None:
    guest, host = world.auth.user("Gebre Guest"), world.auth.user("Hanna Host")
    refund = Money(amount=5005, currency="ETB")

    fact = booking(kind, guest, host, expires_at=EXPIRES, cancelled_by=Party.GUEST, refund=refund)
    await world.happens(fact)

    mail = await world.the_mail_to({"guest": guest, "host": host}[to])
    assert mail["Subject"] == subject
    assert str(fact.booking_id) in mail["Text"]
    for word in words:
        assert word in mail["Text"], word
        assert word in mail["HTML"], word


@pytest.mark.parametrize(
    ("title", "subject"),
    [
        ("Abebe & Sara's cabin", "Your refund of ETB 14,000.00 for Abebe & Sara's cabin"),
        (None, "Your refund of ETB 14,000.00"),  # told before the fact had a title
    ],
)
async def test_a_refund_is_announced_to_the_guest_with_what_it_is_for(
    world: World, title: str | None, subject: str
) -> None:
    guest = world.auth.user()
    refunded = bookings.PaymentRefunded(
        payment_id=uuid4(), booking_id=uuid4(), guest_id=guest, amount=MANY_BIRR, listing_title=title
    )

    await world.happens(refunded)

    mail = await world.the_mail_to(guest)
    assert mail["Subject"] == subject
    for part in ("Text", "HTML"):
        assert "ETB 14,000.00" in mail[part]
        assert str(refunded.booking_id) in mail[part]
        assert ("Place" in mail[part]) == (title is not None)
    assert title is None or title in mail["Text"]
    assert title is None or html.escape(title, quote=False).replace("'", "&#39;") in mail["HTML"]


async def test_a_payout_is_announced_to_the_host(world: World) -> None:
    host = world.auth.user()

    await world.happens(bookings.PayoutPaid(payout_id=uuid4(), host_id=host, amount=MANY_BIRR))

    mail = await world.the_mail_to(host)
    assert mail["Subject"] == "Your payout of ETB 14,000.00"
    for part in ("Text", "HTML"):
        assert "arrived at your bank" in mail[part]


@pytest.mark.parametrize(
    ("came_back", "happened"), [(False, "could not be sent"), (True, "came back from your bank after we had sent it")]
)
async def test_a_payout_that_failed_is_explained_to_the_host(world: World, came_back: bool, happened: str) -> None:
    host = world.auth.user()

    await world.happens(bookings.PayoutFailed(payout_id=uuid4(), host_id=host, amount=MANY_BIRR, came_back=came_back))

    mail = await world.the_mail_to(host)
    assert mail["Subject"] == f"Your payout of ETB 14,000.00 {'came back' if came_back else 'could not be sent'}"
    for part in ("Text", "HTML"):
        assert happened in mail[part]
        assert "in your balance again" in mail[part]


async def test_the_request_that_caused_it_can_be_followed_into_the_mail(world: World) -> None:
    host, trace = world.auth.user(), "4bf92f3577b34da6a3ce929d0e0e4736"

    event = await world.happens(
        booking(bookings.BookingConfirmed, world.auth.user(), host),
        requestid="request-4711",
        traceparent=f"00-{trace}-00f067aa0ba902b7-01",
    )

    headers = await world.headers_of(await world.the_mail_to(host))
    assert headers["X-Request-Id"] == ["request-4711"]
    assert headers["traceparent"][0].startswith(f"00-{trace}-")
    assert headers["Message-ID"][0].strip() == f"<{event.id}.mail_host_new_booking@nexus.test>"
    assert headers["Auto-Submitted"] == ["auto-generated"]


async def test_a_title_can_neither_add_a_header_nor_markup(world: World) -> None:
    host, victim = world.auth.user('Hanna\r\nBcc: "x" <mallory@example.com>'), world.auth.user()
    title = f"Cabin\r\nBcc: {world.auth.address(victim)}\r\n\r\n<img src=x> {{{{ 7 * 7 }}}}"

    await world.happens(booking(bookings.BookingConfirmed, world.auth.user(), host, title))

    mail = await world.the_mail_to(host)
    assert mail["Bcc"] == []
    assert mail["Subject"].strip().startswith("New booking for Cabin Bcc: ")
    assert "<img" not in mail["HTML"]
    assert "&lt;img src=x&gt; {{ 7 * 7 }}" in mail["HTML"]
    assert await world.mails_to(victim) == []


async def test_who_has_closed_the_account_is_not_mailed_and_nothing_lies_dead(world: World, service: Service) -> None:
    user = world.auth.user()
    world.auth.closed.add(user)

    event = await world.happens(auth.PasswordResetRequested(user_id=user))

    await eventually(lambda: inbox_holds(service, event, ["mail_password_reset"]))


@pytest.mark.parametrize("model", [Recipient, OneTimeToken])
def test_an_answer_that_cannot_be_read_is_not_quoted(model: type[BaseModel]) -> None:
    answer = {"email": ["abeba@example.com"], "full_name": ["Abeba"], "token": [TOKEN], "expires_at": "soon"}

    with pytest.raises(ValidationError) as unreadable:
        model.model_validate_json(json.dumps(answer))

    assert not [word for word in ("abeba@example.com", "Abeba", TOKEN, "soon") if word in str(unreadable.value)]
