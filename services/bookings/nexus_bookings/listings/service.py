"""Keeps the copies of listings: told by events, and by asking once when a listing is not known yet.

`main.py` lists `apply` for every fact of a listing; quotes and nights read by `find` and `own` in `with_copy`,
bookings by `known`.
"""

import time
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from typing import TypeVar
from uuid import UUID

from httpx import HTTPStatusError
from nexus_contracts.envelope import CloudEvent
from nexus_contracts.listings import ListingFact, ListingSnapshot, ListingStatus
from nexus_kit.errors import NotFound, UpstreamFailed
from nexus_kit.http import ServiceClient
from pydantic import ValidationError
from sqlalchemy import bindparam, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from nexus_bookings.listings.models import ListingCopy
from nexus_bookings.nights import service as nights

T = TypeVar("T")
Work = Callable[[], AbstractAsyncContextManager[AsyncSession]]

_UNKNOWN_SECONDS = 60.0
_MOST_UNKNOWN = 10_000
_unknown: dict[UUID, float] = {}
"""Listings that do not exist, and until when that is believed: anybody may ask for any id, and asking costs a call."""


_SNAPSHOT = select(ListingCopy.snapshot).where(ListingCopy.listing_id == bindparam("listing_id"))


class _NoCopy(Exception):
    """There is no copy of this listing yet."""


async def apply(session: AsyncSession, event: CloudEvent[ListingFact]) -> None:
    """Take over what a listing has become. Events may come in any order."""
    await store(session, event.data.listing)


async def store(session: AsyncSession, snapshot: ListingSnapshot) -> None:
    """Keep the snapshot unless the copy is newer. Other units change which nights are sold out."""
    former = await session.scalar(
        select(ListingCopy.snapshot).where(ListingCopy.listing_id == snapshot.id).with_for_update()
    )
    statement = insert(ListingCopy).values(listing_id=snapshot.id, version=snapshot.version, snapshot=snapshot)
    newer = statement.excluded
    await session.execute(
        statement.on_conflict_do_update(
            index_elements=[ListingCopy.listing_id],
            set_={"version": newer.version, "snapshot": newer.snapshot},
            where=ListingCopy.version < newer.version,
        )
    )
    if former is not None and former.version < snapshot.version and former.units != snapshot.units:
        await nights.change_units(session, snapshot.id, former.units, snapshot.units)


async def known(session: AsyncSession, listing_id: UUID) -> ListingSnapshot:
    """The copy of a listing that has a quote or a booking, so there is one."""
    return (await session.execute(_SNAPSHOT, {"listing_id": listing_id})).scalar_one()


async def find(session: AsyncSession, listing_id: UUID) -> ListingSnapshot:
    """The listing as a guest may see it: `NotFound` for a draft. Without a copy, `with_copy` asks for it."""
    snapshot = await session.scalar(_SNAPSHOT, {"listing_id": listing_id})
    if snapshot is None:
        raise _NoCopy
    if snapshot.status is ListingStatus.DRAFT:
        raise NotFound("There is no such listing.")
    return snapshot


async def own(session: AsyncSession, listing_id: UUID, host_id: UUID) -> ListingSnapshot:
    """The listing for its host, whatever its state; `NotFound` for anybody else. As `find`, within `with_copy`."""
    snapshot = await session.scalar(_SNAPSHOT, {"listing_id": listing_id})
    if snapshot is None:
        raise _NoCopy
    if snapshot.host_id != host_id:
        raise NotFound("There is no such listing.")
    return snapshot


async def with_copy(
    work: Work, listing_id: UUID, source: ServiceClient, act: Callable[[AsyncSession], Awaitable[T]]
) -> T:
    """Run `act` in a transaction. If it finds no copy, ask `source`, holding no connection, and run it again.

    `UpstreamUnavailable` when listings does not answer.
    """
    try:
        async with work() as session:
            return await act(session)
    except _NoCopy:
        snapshot = await _ask(source, listing_id)
    async with work() as session:
        await store(session, snapshot)
        return await act(session)


async def _ask(listings: ServiceClient, listing_id: UUID) -> ListingSnapshot:
    if _unknown.get(listing_id, 0.0) > time.monotonic():
        raise NotFound("There is no such listing.")
    answer = await listings.request("GET", f"/internal/listings/{listing_id}")
    if answer.status_code == 404:
        if len(_unknown) >= _MOST_UNKNOWN:
            del _unknown[next(iter(_unknown))]
        _unknown[listing_id] = time.monotonic() + _UNKNOWN_SECONDS
        raise NotFound("There is no such listing.")
    try:
        return ListingSnapshot.model_validate_json(answer.raise_for_status().content)
    except (HTTPStatusError, ValidationError) as exc:
        raise UpstreamFailed("listings answered in a way that cannot be used.") from exc
