"""The copies of listings: told by events in any order, asked for once, and never older than what is known."""

import asyncio
import itertools
from uuid import uuid4

import pytest
from nexus_contracts.listings import (
    ListingDeleted,
    ListingFact,
    ListingPublished,
    ListingSnapshot,
    ListingStatus,
    ListingUnpublished,
    ListingUpdated,
)

from tests.bookings.given import House, birr, code, eventually, snapshot


def history(first: ListingSnapshot) -> list[ListingFact]:
    """Published, made dearer, withdrawn, and gone."""
    dearer = first.model_copy(update={"version": 2, "price": birr(500_000)})
    withdrawn = dearer.model_copy(update={"version": 3, "status": ListingStatus.UNPUBLISHED})
    gone = withdrawn.model_copy(update={"version": 4, "status": ListingStatus.ARCHIVED})
    return [
        ListingPublished(listing_id=first.id, listing=first),
        ListingUpdated(listing_id=first.id, listing=dearer),
        ListingUnpublished(listing_id=first.id, listing=withdrawn),
        ListingDeleted(listing_id=first.id, listing=gone),
    ]


@pytest.mark.parametrize("order", list(itertools.permutations(range(4))))
async def test_the_newest_version_wins_in_whatever_order_it_comes(house: House, order: tuple[int, ...]) -> None:
    listing = snapshot()
    facts = history(listing)

    for position in order:
        await house.deliver(facts[position])

    assert await house.value("SELECT version FROM listing_copies") == 4
    assert code(await house.ask_quote(listing.id)) == (409, "listing_not_bookable")


async def test_an_unknown_listing_is_asked_for_once_and_then_known(house: House) -> None:
    listing = snapshot()
    house.neighbours.listings[listing.id] = listing

    await house.quote(listing, uuid4())
    await house.quote(listing, uuid4())
    await house.calendar(listing)

    assert house.neighbours.asked == [listing.id]


async def test_a_copy_that_was_asked_for_does_not_replace_a_newer_one(house: House) -> None:
    listing = snapshot(version=5)
    house.neighbours.listings[listing.id] = listing
    await house.quote(listing, uuid4())

    await house.deliver(ListingUpdated(listing_id=listing.id, listing=listing.model_copy(update={"version": 4})))

    assert await house.value("SELECT version FROM listing_copies") == 5


async def test_a_listing_that_nobody_knows_does_not_exist(house: House) -> None:
    answer = await house.client.get(
        f"/api/v1/availability/{uuid4()}", params={"from": "2027-01-01", "to": "2027-01-02"}
    )

    assert code(answer) == code(await house.ask_quote(uuid4())) == (404, "not_found")


async def test_while_listings_is_down_known_listings_are_quoted_and_others_are_a_503(house: House) -> None:
    known = await house.listing()
    house.neighbours.are_down = True

    assert (await house.ask_quote(known.id)).status_code == 201
    assert code(await house.ask_quote(uuid4())) == (503, "upstream_unavailable")


async def test_a_listing_that_does_not_exist_is_asked_for_once_a_minute(house: House) -> None:
    unknown = uuid4()

    answers = [await house.ask_quote(unknown) for _ in range(3)]

    assert {code(answer) for answer in answers} == {(404, "not_found")}
    assert house.neighbours.asked == [unknown]


async def test_while_listings_is_asked_no_connection_is_held(house: House) -> None:
    house.neighbours.may_answer.clear()
    more_than_the_pool = 15

    async def all_are_asked() -> None:
        assert len(house.neighbours.asked) == more_than_the_pool

    async with asyncio.TaskGroup() as group:
        quotes = [group.create_task(house.ask_quote(uuid4())) for _ in range(more_than_the_pool)]
        try:
            await eventually(all_are_asked, seconds=2)
        finally:
            house.neighbours.may_answer.set()

    assert {code(quote.result()) for quote in quotes} == {(404, "not_found")}
