"""The mails about changes and the waiting list: to the right party, with the deadline where the place is."""

from datetime import date
from typing import Any
from uuid import uuid4

import pytest
from nexus_contracts import changes
from nexus_contracts.changes import BookingChangeFact, StayTerms
from nexus_contracts.money import Money

from tests.worker.world import EXPIRES, World, booking

DEADLINE = "Monday, 7 December 2026, 14:30 East Africa Time"
BEFORE = "Monday, 7 December 2026 to Thursday, 10 December 2026, 2 guests, ETB 14,000.00"
AFTER = "Tuesday, 8 December 2026 to Thursday, 10 December 2026, 1 guest, ETB 9,000.50"


def birr(amount: int) -> Money:
    return Money(amount=amount, currency="ETB")


def terms(first: int, guests: int, total: int) -> StayTerms:
    return StayTerms(check_in=date(2026, 12, first), check_out=date(2026, 12, 10), guests=guests, total=birr(total))


@pytest.mark.parametrize(
    ("kind", "to", "subject", "words"),
    [
        (
            changes.BookingChangeRequested,
            "host",
            "Change request for Lakeside cabin",
            (DEADLINE, "/accept", "/decline"),
        ),
        (
            changes.BookingChangeHeld,
            "guest",
            "Pay the difference: Lakeside cabin",
            (DEADLINE, "ETB 7.00", "/payments"),
        ),
        (
            changes.BookingChangeDeclined,
            "guest",
            "Declined: your change at Lakeside cabin",
            ("nothing was charged",),
        ),
        (changes.BookingChangeExpired, "guest", "Not made: your change at Lakeside cabin", ("stays as it is",)),
        (changes.BookingChanged, "host", "Changed: booking for Lakeside cabin", ("free again",)),
        (changes.BookingChanged, "guest", "Changed: your stay at Lakeside cabin", ("still confirmed",)),
    ],
)
async def test_the_parties_of_a_change_are_told_what_was_and_what_is(
    world: World, kind: type[BookingChangeFact], to: str, subject: str, words: tuple[str, ...]
) -> None:
    guest, host = world.auth.user("Gebre Guest"), world.auth.user("Hanna Host")
    stays: dict[str, Any] = {"before": terms(7, 2, 1_400_000), "after": terms(8, 1, 900_050)}
    money: dict[str, Any] = {"to_pay": birr(700), "to_refund": birr(0)}

    await world.happens(booking(kind, guest, host, change_id=uuid4(), expires_at=EXPIRES, **stays, **money))

    mail = await world.the_mail_to({"guest": guest, "host": host}[to])
    assert mail["Subject"] == subject
    for word in (BEFORE, AFTER, "+ ETB 7.00", *words):
        assert word in mail["Text"], word
        assert word in mail["HTML"], word


async def test_a_cheaper_stay_says_what_comes_back(world: World) -> None:
    guest = world.auth.user()
    stays: dict[str, Any] = {"before": terms(7, 2, 1_400_000), "after": terms(8, 1, 900_050)}
    money: dict[str, Any] = {"to_pay": birr(0), "to_refund": birr(499_950)}

    await world.happens(booking(changes.BookingChanged, guest, world.auth.user(), change_id=uuid4(), **stays, **money))

    mail = await world.the_mail_to(guest)
    assert "ETB 4,999.50 is on its way back to you" in mail["Text"]
    assert "- ETB 4,999.50" in mail["HTML"]


@pytest.mark.parametrize(("awaits_host", "words"), [(False, "held for you until"), (True, "We asked the host for you")])
async def test_whoever_waited_is_told_what_is_free_and_until_when(world: World, awaits_host: bool, words: str) -> None:
    guest = world.auth.user()
    offered: dict[str, Any] = {"entry_id": uuid4(), "awaits_host": awaits_host, "expires_at": EXPIRES}

    await world.happens(booking(changes.WaitingListOffered, guest, world.auth.user(), **offered))

    mail = await world.the_mail_to(guest)
    assert mail["Subject"] == "Free for you: Lakeside cabin"
    for part in ("Text", "HTML"):
        assert words in mail[part]
        assert DEADLINE in mail[part]
        assert ("/payments" in mail[part]) == (not awaits_host)
