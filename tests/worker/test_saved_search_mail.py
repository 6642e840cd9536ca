"""The mail about a saved search says what is new, and how to be left in peace: by one click (RFC 8058)."""

from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest
from nexus_contracts.listings import MatchedListing, SavedSearchMatched
from nexus_contracts.money import Money
from nexus_kit.testing import Service

from tests.worker.peers import TOKEN
from tests.worker.world import World, eventually, inbox_holds


def matched(user: UUID, *titles: str, more: int = 0, name: str = "By the lake") -> SavedSearchMatched:
    """New listings with these titles, and so many that the mail does not name."""
    price = Money(amount=450000, currency="ETB")
    listings = tuple(MatchedListing(id=uuid4(), title=title, city="Bahir Dar", price=price) for title in titles)
    return SavedSearchMatched(
        saved_search_id=uuid4(), user_id=user, name=name, matches=len(listings) + more, listings=listings
    )


async def raw(world: World, mail: dict[str, Any]) -> str:
    """The mail as it was handed over."""
    async with httpx.AsyncClient(base_url=world.mailbox) as client:
        return (await client.get(f"/api/v1/message/{mail['ID']}/raw")).text


async def test_it_names_the_new_places_with_price_and_link(world: World) -> None:
    user = world.auth.user("Gebre Guest")
    fact = matched(user, "Quiet house", "Boat & breakfast")

    await world.happens(fact)

    mail = await world.the_mail_to(user)
    assert mail["Subject"] == '2 new places for "By the lake"'
    for part in ("Text", "HTML"):
        for listing in fact.listings:
            assert f"https://nexus.test/api/v1/listings/{listing.id}" in mail[part]
        for word in ("Gebre Guest", "2 new places", "By the lake", "Quiet house", "Bahir Dar", "ETB 4,500.00"):
            assert word in mail[part], word
        assert "more." not in mail[part]
    assert "Boat & breakfast" in mail["Text"]
    assert "Boat &amp; breakfast" in mail["HTML"]


@pytest.mark.parametrize(
    ("titles", "more", "subject", "says"),
    [
        (["Only one"], 0, '1 new place for "By the lake"', "One new place matches"),
        (["First", "Second"], 40, '42 new places for "By the lake"', "And 40 more."),
    ],
)
async def test_it_counts_in_plain_english(world: World, titles: list[str], more: int, subject: str, says: str) -> None:
    user = world.auth.user()

    await world.happens(matched(user, *titles, more=more))

    mail = await world.the_mail_to(user)
    assert mail["Subject"] == subject
    assert says in mail["Text"]
    assert says in mail["HTML"]


async def test_one_click_is_offered_in_the_headers_and_a_link_in_the_mail(world: World) -> None:
    user = world.auth.user()
    fact = matched(user, "Quiet house")
    address = f"https://nexus.test/api/v1/saved-searches/{fact.saved_search_id}/unsubscribe?token={TOKEN}"

    await world.happens(fact)

    mail = await world.the_mail_to(user)
    headers = await world.headers_of(mail)
    assert headers["List-Unsubscribe"] == [f"<{address}>"]
    assert headers["List-Unsubscribe-Post"] == ["List-Unsubscribe=One-Click"]
    assert f"\r\nList-Unsubscribe: <{address}>\r\n" in await raw(world, mail), "one line, in plain characters"
    assert address in mail["Text"]
    assert f'href="{address}"' in mail["HTML"]


async def test_a_name_can_neither_add_a_header_nor_markup(world: World) -> None:
    user, victim = world.auth.user(), world.auth.user()
    name = f"Lake\r\nBcc: {world.auth.address(victim)}\r\n\r\n<img src=x>"

    await world.happens(matched(user, "<img src=x>", name=name))

    mail = await world.the_mail_to(user)
    assert mail["Bcc"] == []
    assert "<img" not in mail["HTML"]
    assert await world.mails_to(victim) == []


async def test_who_stopped_the_mails_in_the_meantime_gets_none(world: World, service: Service) -> None:
    user = world.auth.user()
    fact = matched(user, "Quiet house")
    world.listings.stopped.add(fact.saved_search_id)

    event = await world.happens(fact)

    await eventually(lambda: inbox_holds(service, event, ["mail_saved_search_matches"]))
    assert await world.mails_to(user) == []


async def test_who_has_closed_the_account_gets_none(world: World, service: Service) -> None:
    user = world.auth.user()
    world.auth.closed.add(user)

    event = await world.happens(matched(user, "Quiet house"))

    await eventually(lambda: inbox_holds(service, event, ["mail_saved_search_matches"]))
    assert await world.mails_to(user) == []


async def test_without_the_token_the_mail_waits_and_is_sent_once(world: World, service: Service) -> None:
    user = world.auth.user()
    world.listings.failing_with = 503
    refused = world.listings.refused

    event = await world.happens(matched(user, "Quiet house"))
    await eventually(lambda: was_refused(world, refused))
    world.listings.failing_with = None

    await eventually(lambda: inbox_holds(service, event, ["mail_saved_search_matches"]))
    assert len(await world.mails_to(user)) == 1


async def was_refused(world: World, before: int) -> None:
    """listings has been asked, and has refused."""
    assert world.listings.refused > before
