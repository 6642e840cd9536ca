"""What the tests of saved searches have in common: saving one, making time pass, and what was announced."""

import asyncio
from typing import Any

import httpx
from nexus_contracts.listings import SavedSearchMatched
from nexus_kit.testing import Service
from nexus_listings.saved_searches import service as saved_searches
from nexus_listings.saved_searches.models import SavedSearch
from sqlalchemy import func, select, text

from tests.listings.given import API

SAVED = f"{API}/saved-searches"


async def a_saved_search(user: httpx.AsyncClient, *, notify: str = "daily", **filters: Any) -> dict[str, Any]:
    """One by that user."""
    answer = await user.post(SAVED, json={"name": "By the lake", "filters": filters, "notify": notify})
    assert answer.status_code == 201, answer.text
    saved: dict[str, Any] = answer.json()
    return saved


async def change_search(user: httpx.AsyncClient, search_id: str, **changes: Any) -> dict[str, Any]:
    """Change what the user has just read."""
    read = await user.get(f"{SAVED}/{search_id}")
    answer = await user.patch(f"{SAVED}/{search_id}", json=changes, headers={"If-Match": read.headers["ETag"]})
    assert answer.status_code == 200, answer.text
    changed: dict[str, Any] = answer.json()
    return changed


async def a_day_passes(service: Service) -> None:
    """All that has happened lies a day, and a little, further back; whatever is due is done."""
    async with service.database.unit_of_work() as session:
        await session.execute(text("UPDATE listings SET published_at = published_at - interval '25 hours'"))
        await session.execute(
            text(
                "UPDATE saved_searches SET looked_until = looked_until - interval '25 hours',"
                " next_look_at = next_look_at - interval '25 hours'"
            )
        )
    await all_looks_are_done(service)


async def looks_are_due(service: Service) -> None:
    """At once, before their day is over."""
    async with service.database.unit_of_work() as session:
        await session.execute(text("UPDATE saved_searches SET next_look_at = now() WHERE next_look_at IS NOT NULL"))


async def all_looks_are_done(service: Service) -> None:
    """By us, or by the service's own timer."""
    due = select(func.count()).where(SavedSearch.next_look_at <= func.now())
    while True:
        while await look(service):
            pass
        async with service.database.unit_of_work() as session:
            if not await session.scalar(due):
                return
        await asyncio.sleep(0.02)


async def look(service: Service) -> bool:
    """One look, as the timer does it."""
    async with service.database.unit_of_work() as session:
        return await saved_searches.look(session)


async def announced(service: Service) -> list[SavedSearchMatched]:
    """What owners of saved searches are to be told, oldest first."""
    return [fact.data for fact in await service.published() if isinstance(fact.data, SavedSearchMatched)]


async def titles_announced(service: Service) -> list[list[str]]:
    """The same, by the titles that each mail would name."""
    return [[listing.title for listing in fact.listings] for fact in await announced(service)]
