"""The table covers every event, and each of its reactions happens, once."""

from pathlib import Path
from uuid import uuid4

import nexus_worker
import pytest
from nexus_contracts import auth, bookings, listings
from nexus_contracts.access_token import ACCESS_TOKEN_SECONDS, revoked_session_key
from nexus_contracts.envelope import Event, all_events
from nexus_contracts.money import Money
from nexus_kit.testing import Service
from nexus_worker.reactions import IGNORED, REACTIONS

from tests.worker.world import World, booking, eventually, inbox_holds

TEMPLATES = Path(nexus_worker.__path__[0]) / "mail" / "templates"
BIRR = Money(amount=450000, currency="ETB")


def declared_events() -> set[type[Event]]:
    """Those of the contracts; other tests in this process may declare events of their own."""
    return {event for event in all_events() if event.__module__.startswith("nexus_contracts.")}


def test_every_event_has_a_reaction_or_a_reason_to_be_ignored() -> None:
    assert REACTIONS.keys() | IGNORED.keys() == declared_events()
    assert REACTIONS.keys() & IGNORED.keys() == set()
    assert all(IGNORED.values())


def test_every_mail_has_its_folder_of_templates_and_every_folder_its_mail() -> None:
    names = {reaction.__name__ for reactions in REACTIONS.values() for reaction in reactions}
    mails = {name for name in names if name.startswith("mail_")}

    assert {folder.name for folder in TEMPLATES.iterdir() if folder.is_dir()} == mails
    for mail in mails:
        assert {part.name for part in (TEMPLATES / mail).iterdir()} == {"subject.txt", "body.txt", "body.html"}


def test_the_reactions_to_one_event_have_different_names() -> None:
    for event, reactions in REACTIONS.items():
        assert len({reaction.__name__ for reaction in reactions}) == len(reactions), event


async def test_the_same_event_ten_times_is_one_inbox_row_and_one_mail_each(world: World, service: Service) -> None:
    guest, host = world.auth.user(), world.auth.user()

    event = await world.happens(booking(bookings.BookingConfirmed, guest, host), times=10)

    await eventually(lambda: inbox_holds(service, event, ["mail_guest_receipt", "mail_host_new_booking"]))
    await eventually(lambda: nothing_is_left(world))
    assert len(await world.mails_to(guest)) == len(await world.mails_to(host)) == 1


async def test_tokens_of_a_revoked_session_are_refused_for_as_long_as_one_could_live(world: World) -> None:
    revoked = auth.SessionRevoked(session_id=uuid4(), user_id=uuid4())

    await world.happens(revoked)

    async def refused() -> None:
        seconds = await world.events.ttl(revoked_session_key(revoked.session_id))
        assert ACCESS_TOKEN_SECONDS < seconds <= ACCESS_TOKEN_SECONDS + 60

    await eventually(refused)


@pytest.mark.parametrize("kind", [listings.ListingPublished, listings.ListingUpdated, listings.ListingDeleted])
async def test_bookings_is_told_of_a_listing_word_for_word(world: World, kind: type[listings.ListingFact]) -> None:
    listing = listings.ListingSnapshot(
        id=uuid4(),
        version=7,
        host_id=uuid4(),
        status=listings.ListingStatus.PUBLISHED,
        title="Lakeside cabin",
        timezone="Africa/Addis_Ababa",
        price=BIRR,
        cleaning_fee=BIRR,
        capacity=4,
        units=1,
        min_nights=1,
        max_nights=30,
        instant_book=True,
        cancellation_policy=listings.CancellationPolicy.FLEXIBLE,
    )

    event = await world.happens(
        kind(listing_id=listing.id, listing=listing), sequence=7, requestid="request-4711", colour="of a newer version"
    )

    async def told() -> None:
        (delivered,) = world.bookings.delivered_about(listing.id)
        assert delivered["id"] == str(event.id)
        assert delivered["sequence"] == 7
        assert delivered["data"]["listing"]["title"] == "Lakeside cabin"
        (headers,) = [each for each, taken in world.bookings.delivered if taken is delivered]
        assert headers["x-request-id"] == "request-4711"

    await eventually(told)


async def test_listings_is_told_of_sold_nights_and_of_closed_accounts(world: World) -> None:
    nights = bookings.NightsChanged(listing_id=uuid4(), sold_out=[], freed=[])
    closed = auth.UserDeleted(user_id=uuid4())

    await world.happens(nights)
    await world.happens(closed)

    async def told() -> None:
        assert len(world.listings.delivered_about(nights.listing_id)) == 1
        assert len(world.listings.delivered_about(closed.user_id)) == 1

    await eventually(told)


async def nothing_is_left(world: World) -> None:
    """Neither waiting nor delayed nor unacknowledged."""
    assert await world.events.hlen("dramatiq:mail.msgs") == 0
    assert await world.events.hlen("dramatiq:mail.DQ.msgs") == 0
