"""Whoever saved a search is told of what is new: at most daily, all of it, nothing twice, whatever dies in between."""

import asyncio
from datetime import UTC, datetime, timedelta
from uuid import UUID

import httpx
import pytest
from nexus_contracts.money import Money
from nexus_kit.testing import Service, signed_in
from nexus_listings.listings import service as listings
from nexus_listings.saved_searches import service as saved_searches
from nexus_listings.saved_searches.models import SavedSearch
from nexus_listings.saved_searches.queries import SHOWN_WITHIN
from sqlalchemy import func, select, text

from tests.listings.given import API, COMPLETE, a_draft, a_listing, soon, user_is_deleted
from tests.listings.searching import (
    a_day_passes,
    a_saved_search,
    all_looks_are_done,
    announced,
    change_search,
    looks_are_due,
    titles_announced,
)


async def test_its_owner_is_told_of_what_was_published_since_and_passes_the_filters(
    service: Service, host: httpx.AsyncClient, guest: httpx.AsyncClient, guest_id: UUID
) -> None:
    await a_listing(host, title="There before")
    saved = await a_saved_search(guest, city="bahir dar", guests=3)
    new = await a_listing(host, title="New and fit")
    await a_listing(host, title="Too small", capacity=2)
    await a_listing(host, title="Elsewhere", city="Harar")
    await a_draft(host, title="Not published")

    await a_day_passes(service)

    (fact,) = await announced(service)
    assert (str(fact.saved_search_id), fact.user_id, fact.name) == (saved["id"], guest_id, "By the lake")
    assert fact.matches == 1
    (listing,) = fact.listings
    assert (str(listing.id), listing.title, listing.city) == (new["id"], "New and fit", COMPLETE["city"])
    assert listing.price == Money(**COMPLETE["price"])


async def test_a_mail_names_the_newest_ten_and_counts_all(
    service: Service, host: httpx.AsyncClient, guest: httpx.AsyncClient
) -> None:
    await a_saved_search(guest, sort="price")
    for number in range(12):
        await a_listing(host, title=f"Place {number}")

    await a_day_passes(service)

    (fact,) = await announced(service)
    assert fact.matches == 12
    assert [listing.title for listing in fact.listings] == [f"Place {number}" for number in range(11, 1, -1)]


async def test_when_nothing_is_new_nothing_is_said(
    service: Service, host: httpx.AsyncClient, guest: httpx.AsyncClient
) -> None:
    await a_listing(host)
    await a_saved_search(guest)
    await a_saved_search(host)
    await a_listing(host, title="Known to its host")

    for _ in range(3):
        await a_day_passes(service)

    assert await titles_announced(service) == [["Known to its host"]], "once, and not to its host"


async def test_what_comes_on_the_same_day_waits_for_the_next(
    service: Service, host: httpx.AsyncClient, guest: httpx.AsyncClient
) -> None:
    await a_saved_search(guest)
    await a_listing(host, title="Monday")
    await all_looks_are_done(service)
    assert await titles_announced(service) == []

    await a_day_passes(service)
    await a_listing(host, title="Tuesday")
    await all_looks_are_done(service)
    assert await titles_announced(service) == [["Monday"]]

    await a_day_passes(service)
    assert await titles_announced(service) == [["Monday"], ["Tuesday"]]
    facts = [fact for fact in await service.published() if fact.type.endswith("matched.v1")]
    assert [fact.sequence for fact in facts] == [1, 2]


async def test_a_listing_published_anew_is_no_news(
    service: Service, host: httpx.AsyncClient, guest: httpx.AsyncClient
) -> None:
    await a_saved_search(guest)
    listing = await a_listing(host, title="Once")
    await a_day_passes(service)

    await host.post(f"{API}/listings/{listing['id']}/unpublish")
    await host.post(f"{API}/listings/{listing['id']}/publish")
    await a_day_passes(service)

    assert await titles_announced(service) == [["Once"]]


async def test_an_early_look_does_not_see_what_was_there_before(
    service: Service, host: httpx.AsyncClient, guest: httpx.AsyncClient
) -> None:
    await a_listing(host, title="There before")
    await a_saved_search(guest)
    await looks_are_due(service)
    await all_looks_are_done(service)
    await a_listing(host, title="New")

    await a_day_passes(service)

    assert await titles_announced(service) == [["New"]]


async def test_what_is_committed_after_a_look_but_published_before_it_is_not_missed(
    service: Service, host_id: UUID, host: httpx.AsyncClient, guest: httpx.AsyncClient
) -> None:
    draft = await a_draft(host, title="Slow to commit")
    await a_saved_search(guest)
    await a_day_passes(service)

    async with service.database.unit_of_work() as slow:
        listing = await listings.publish(slow, UUID(draft["id"]), host_id)
        assert listing.published_at == await slow.scalar(select(func.now())), "not by the service's own clock"
        await asyncio.sleep(SHOWN_WITHIN.total_seconds() + 0.1)
        await looks_are_due(service)
        await all_looks_are_done(service)
    await a_day_passes(service)

    assert await titles_announced(service) == [["Slow to commit"]]


async def test_of_several_leaders_one_announces(service: Service, host: httpx.AsyncClient) -> None:
    people = 20
    for _ in range(people):
        async with service.client(**signed_in()) as user:
            await a_saved_search(user)
    await a_listing(host)
    async with service.database.unit_of_work() as session:
        await session.execute(text("UPDATE listings SET published_at = published_at - interval '2 hours'"))
        await session.execute(
            text("UPDATE saved_searches SET looked_until = looked_until - interval '3 hours', next_look_at = now()")
        )

    await asyncio.gather(*(all_looks_are_done(service) for _ in range(6)))

    facts = await announced(service)
    assert len(facts) == len({fact.saved_search_id for fact in facts}) == people


async def test_a_look_that_died_is_made_again(
    service: Service, host: httpx.AsyncClient, guest: httpx.AsyncClient
) -> None:
    saved = await a_saved_search(guest)
    await a_listing(host, title="Once")
    await a_day_passes(service)
    await a_listing(host, title="Then")
    async with service.database.unit_of_work() as session:
        await session.execute(
            text("UPDATE listings SET published_at = published_at - interval '2 hours' WHERE title = 'Then'")
        )
        await session.execute(text("UPDATE saved_searches SET looked_until = looked_until - interval '3 hours'"))
    with pytest.raises(ZeroDivisionError):
        await look_and_die(service, UUID(saved["id"]))
    assert await titles_announced(service) == [["Once"]]

    await a_day_passes(service)

    assert await titles_announced(service) == [["Once"], ["Then"]]


async def test_a_search_that_fails_does_not_hold_up_the_others_and_misses_nothing(
    service: Service, host: httpx.AsyncClient, guest: httpx.AsyncClient
) -> None:
    await a_saved_search(guest, check_in=str(soon(5)), check_out=str(soon(7)))
    await a_saved_search(guest, country="ET")
    await a_listing(host)

    async with service.database.unit_of_work() as session:
        await session.execute(text("ALTER TABLE sold_out_nights RENAME TO lost"))
    try:
        await a_day_passes(service)
        facts = await announced(service)
    finally:
        async with service.database.unit_of_work() as session:
            await session.execute(text("ALTER TABLE lost RENAME TO sold_out_nights"))
    assert len(facts) == 1

    await a_day_passes(service)
    assert len({fact.saved_search_id for fact in await announced(service)}) == 2


async def test_a_search_whose_dates_have_passed_rests_until_they_are_changed(
    service: Service, host: httpx.AsyncClient, guest: httpx.AsyncClient
) -> None:
    saved = await a_saved_search(guest, check_in=str(soon(5)), check_out=str(soon(7)))
    async with service.database.unit_of_work() as session:
        passed = {"check_in": str(soon(-3)), "check_out": str(soon(-1))}
        (search,) = (await session.scalars(select(SavedSearch))).all()
        search.filters = passed
    await a_listing(host, title="Too late")
    await a_day_passes(service)
    await a_day_passes(service)
    assert await announced(service) == []

    await change_search(guest, saved["id"], filters={"check_in": str(soon(50)), "check_out": str(soon(51))})
    await a_listing(host, title="In time")
    await a_day_passes(service)

    assert await titles_announced(service) == [["In time"]]


async def test_who_wants_no_mail_gets_none_and_later_only_what_is_new_by_then(
    service: Service, host: httpx.AsyncClient, guest: httpx.AsyncClient
) -> None:
    saved = await a_saved_search(guest, notify="never")
    await a_listing(host, title="Unwanted")
    await a_day_passes(service)

    await change_search(guest, saved["id"], notify="daily")
    await a_listing(host, title="Wanted")
    await all_looks_are_done(service)
    assert await announced(service) == [], "the first look is a day later"
    await a_day_passes(service)

    assert await titles_announced(service) == [["Wanted"]]


async def test_filters_that_were_changed_find_what_was_published_since_the_last_look(
    service: Service, host: httpx.AsyncClient, guest: httpx.AsyncClient
) -> None:
    saved = await a_saved_search(guest, city="Harar")
    await a_listing(host, title="Published before the change", city="Lalibela")

    await change_search(guest, saved["id"], filters={"city": "Lalibela"})
    await a_day_passes(service)

    assert await titles_announced(service) == [["Published before the change"]]


async def test_searches_go_with_their_owner(
    service: Service, host: httpx.AsyncClient, guest: httpx.AsyncClient, guest_id: UUID
) -> None:
    saved = await a_saved_search(guest)
    await a_listing(host)

    await user_is_deleted(service, guest_id)
    await a_day_passes(service)

    assert await announced(service) == []
    assert (await guest.get(f"{API}/saved-searches/{saved['id']}")).status_code == 404
    refused = await guest.post(f"{API}/saved-searches", json={"name": "Again", "filters": {}})
    assert refused.status_code == 410, "their token lives some seconds more"


async def look_and_die(service: Service, search_id: UUID) -> None:
    """Make the look due, look, and do not come to the commit."""
    async with service.database.unit_of_work() as session:
        search = await session.get(SavedSearch, search_id)
        assert search is not None
        search.next_look_at = datetime.now(UTC) - timedelta(hours=1)
        await session.flush()
        assert await saved_searches.look(session)
        raise ZeroDivisionError
