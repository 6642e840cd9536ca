"""What these tests start from: a complete listing, and the ways to bring listings and facts into the service."""

import asyncio
from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import httpx
from nexus_contracts.auth import UserDeleted
from nexus_contracts.bookings import NightsChanged
from nexus_contracts.envelope import BATCH_MEDIA_TYPE, CloudEvent, Event
from nexus_kit.testing import Service, from_service
from nexus_listings.listings.models import Listing
from sqlalchemy import insert, text
from sqlalchemy.ext.asyncio import AsyncSession

API = "/api/v1"
COMPLETE: dict[str, Any] = {
    "title": "Quiet house by the lake",
    "description": "Two bedrooms and a garden.",
    "category": "house",
    "city": "Bahir Dar",
    "country": "ET",
    "latitude": 11.5936,
    "longitude": 37.3908,
    "timezone": "Africa/Addis_Ababa",
    "price": {"amount": 450000, "currency": "ETB"},
    "capacity": 4,
}


def soon(days: int) -> date:
    """A date that many days ahead."""
    return datetime.now(UTC).date() + timedelta(days=days)


async def a_draft(host: httpx.AsyncClient, **changes: Any) -> dict[str, Any]:
    """One that could be published, unless the changes prevent it."""
    answer = await host.post(f"{API}/listings", json=COMPLETE | changes)
    assert answer.status_code == 201, answer.text
    drafted: dict[str, Any] = answer.json()
    return drafted


async def a_listing(host: httpx.AsyncClient, **changes: Any) -> dict[str, Any]:
    """A published one."""
    answer = await host.post(f"{API}/listings/{(await a_draft(host, **changes))['id']}/publish")
    assert answer.status_code == 200, answer.text
    published: dict[str, Any] = answer.json()
    return published


async def change(host: httpx.AsyncClient, listing_id: str, **changes: Any) -> httpx.Response:
    """Change what the host has just read."""
    read = await host.get(f"{API}/listings/{listing_id}")
    return await host.patch(f"{API}/listings/{listing_id}", json=changes, headers={"If-Match": read.headers["ETag"]})


async def titles(client: httpx.AsyncClient, **filters: Any) -> list[str]:
    """What a search finds, in its order."""
    answer = await client.get(f"{API}/listings", params=filters)
    assert answer.status_code == 200, answer.text
    return [card["title"] for card in answer.json()["items"]]


async def deliver(service: Service, event: Event, *, sequence: int = 1) -> httpx.Response:
    """Hand over a fact as the worker does."""
    async with service.client(**from_service("worker", "listings")) as worker:
        return await worker.post("/internal/events", content=_document(event, sequence))


async def deliver_together(service: Service, facts: Sequence[tuple[Event, int]]) -> httpx.Response:
    """Hand over facts, each with its sequence, that the worker has read together."""
    batch = f"[{','.join(_document(*fact) for fact in facts)}]"
    async with service.client(**from_service("worker", "listings")) as worker:
        return await worker.post("/internal/events", content=batch, headers={"Content-Type": BATCH_MEDIA_TYPE})


def _document(event: Event, sequence: int) -> str:
    return CloudEvent[Any](
        id=uuid4(),
        source=f"/services/{event.producer()}",
        type=event.TYPE,
        subject=event.subject(),
        time=datetime.now(UTC),
        sequence=sequence,
        data=event,
    ).model_dump_json()


async def nights_change(
    service: Service,
    listing_id: UUID | str,
    *,
    sold_out: Sequence[date] = (),
    freed: Sequence[date] = (),
    sequence: int = 1,
) -> None:
    """Bookings says which nights are full, and which no longer."""
    fact = NightsChanged(listing_id=UUID(str(listing_id)), sold_out=list(sold_out), freed=list(freed))
    answer = await deliver(service, fact, sequence=sequence)
    assert answer.status_code == 204, answer.text


async def user_is_deleted(service: Service, user_id: UUID) -> None:
    """Auth says that an account is closed."""
    answer = await deliver(service, UserDeleted(user_id=user_id))
    assert answer.status_code == 204, answer.text


async def stuck(session: AsyncSession, number: int) -> None:
    """Wait until so many transactions wait for a lock."""
    waiting = text("SELECT count(*) FROM pg_locks WHERE NOT granted")
    async with asyncio.timeout(1.5):
        while (await session.scalar(waiting) or 0) < number:  # noqa: ASYNC110 - nothing tells
            await asyncio.sleep(0.01)


async def rows(service: Service, listings: list[dict[str, Any]]) -> None:
    """Many published listings at once, past the API; the statistics are fresh, and the cache knows nothing."""
    async with service.database.unit_of_work() as session:
        if listings:
            await session.execute(insert(Listing), listings)
        await session.execute(text("ANALYZE listings"))
    await service.cache.flushdb()
