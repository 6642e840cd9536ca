"""When an account is closed, no listing of that host is left for guests to find, whatever was under way.

The host's token is believed for some time more, so every write may meet the erasure, before it, in it, or after it.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from uuid import UUID

import httpx
import pytest
from nexus_contracts.listings import ListingStatus
from nexus_kit.testing import Service
from nexus_listings import timers
from nexus_listings.listings.models import ErasedHost, Listing
from sqlalchemy import select, text
from sqlalchemy.ext.asyncio import AsyncSession

from tests.listings.given import API, COMPLETE, a_draft, a_listing, change, stuck, user_is_deleted

GONE = (410, "account_erased")


async def test_a_closed_account_drafts_changes_and_publishes_no_more(
    service: Service, host: httpx.AsyncClient, host_id: UUID
) -> None:
    listing, draft = await a_listing(host), await a_draft(host)
    await user_is_deleted(service, host_id)

    answers = [
        await host.post(f"{API}/listings", json=COMPLETE),
        await host.post(f"{API}/listings/{draft['id']}/publish"),
        await change(host, listing["id"], title="Back"),
    ]

    assert [(answer.status_code, answer.json()["code"]) for answer in answers] == [GONE] * 3
    assert await _states(service) == {ListingStatus.ARCHIVED}


async def test_hearing_of_it_twice_changes_nothing(service: Service, host: httpx.AsyncClient, host_id: UUID) -> None:
    await a_listing(host)

    await user_is_deleted(service, host_id)
    facts = await service.published()
    await user_is_deleted(service, host_id)

    assert await service.published() == facts
    async with service.database.unit_of_work() as session:
        assert list(await session.scalars(select(ErasedHost.host_id))) == [host_id]


async def test_a_large_host_is_swept_by_and_by(service: Service, host: httpx.AsyncClient, host_id: UUID) -> None:
    rows = [COMPLETE | {"external_id": str(number)} for number in range(450)]
    await host.post(f"{API}/listings/import", json={"rows": rows})

    await user_is_deleted(service, host_id)
    at_once = await _states(service)
    while await _states(service) != {ListingStatus.ARCHIVED}:
        await timers.archive_erased(service.app.state.runtime)

    assert at_once == {ListingStatus.ARCHIVED, ListingStatus.PUBLISHED}
    assert len({event.subject for event in await service.published()}) == 450
    async with service.database.unit_of_work() as session:
        assert await session.scalar(select(ErasedHost.emptied_at)) is not None


async def test_a_publication_under_way_is_swept_too(service: Service, host: httpx.AsyncClient, host_id: UUID) -> None:
    draft = await a_draft(host)

    async with _facts_held_back(service) as session:
        publishing = asyncio.create_task(host.post(f"{API}/listings/{draft['id']}/publish"))
        await stuck(session, 1)
        sweep = asyncio.create_task(user_is_deleted(service, host_id))
        await stuck(session, 2)

    assert (await publishing).status_code == 200
    await sweep
    assert await _states(service) == {ListingStatus.ARCHIVED}
    assert [fact.type.split(".")[3] for fact in await service.published()] == ["published", "deleted"]


async def test_a_listing_that_the_sweep_could_not_see_is_not_published_behind_its_back(
    service: Service, host: httpx.AsyncClient, host_id: UUID
) -> None:
    await a_listing(host)

    async def draft_and_publish() -> httpx.Response:
        drafted = await host.post(f"{API}/listings", json=COMPLETE)
        return await host.post(f"{drafted.headers['Location']}/publish") if drafted.is_success else drafted

    async with _facts_held_back(service) as session:
        sweep = asyncio.create_task(user_is_deleted(service, host_id))
        await stuck(session, 1)  # it has looked for listings by now, and could not know of one more
        listing = asyncio.create_task(draft_and_publish())
        await stuck(session, 2)

    await sweep
    answer = await listing
    assert (answer.status_code, answer.json()["code"]) == GONE
    assert await _states(service) == {ListingStatus.ARCHIVED}


@pytest.mark.parametrize("round_", range(5))
async def test_in_any_order_of_things_nothing_stays_published(
    service: Service, host: httpx.AsyncClient, host_id: UUID, round_: int
) -> None:
    drafts = [await a_draft(host, title=f"Draft {round_}.{number}") for number in range(4)]
    published = [await a_listing(host) for _ in range(2)]

    async def later(place: int) -> None:
        await asyncio.sleep(0.004 * ((place + round_) % 5))
        await user_is_deleted(service, host_id)

    answers = await asyncio.gather(
        *(host.post(f"{API}/listings/{draft['id']}/publish") for draft in drafts),
        *(host.post(f"{API}/listings/{listing['id']}/unpublish") for listing in published),
        *(host.post(f"{API}/listings", json=COMPLETE) for _ in range(2)),
        later(round_),
    )

    assert {answer.status_code for answer in answers if answer is not None} <= {200, 201, 409, 410}
    assert await _states(service) == {ListingStatus.ARCHIVED}


@asynccontextmanager
async def _facts_held_back(service: Service) -> AsyncIterator[AsyncSession]:
    """Nobody gets past writing a fact before this ends."""
    async with service.database.unit_of_work() as session:
        await session.execute(text("LOCK TABLE outbox IN SHARE MODE"))
        yield session


async def _states(service: Service) -> set[ListingStatus]:
    async with service.database.unit_of_work() as session:
        return set(await session.scalars(select(Listing.status)))
