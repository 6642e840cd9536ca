"""Keeps `sold_out_nights` as bookings reports it. `main.py` lists it among the events that this service consumes."""

from datetime import timedelta
from typing import Any

from nexus_contracts.bookings import NightsChanged
from nexus_contracts.envelope import CloudEvent
from sqlalchemy import delete, func
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from nexus_listings.nights.models import SoldOutNight
from nexus_listings.publicly import forget_pages

KEPT = timedelta(days=3)
"""How long a night that is over is remembered: no stay of a search begins so long ago in any time zone."""


async def apply_nights_changed(session: AsyncSession, event: CloudEvent[Any]) -> None:
    """Write down what is newer than what we know of each night; events may arrive in any order."""
    changed: NightsChanged = event.data
    nights = dict.fromkeys(changed.freed, False) | dict.fromkeys(changed.sold_out, True)
    if not nights:
        return
    statement = insert(SoldOutNight).values(
        [
            {"listing_id": changed.listing_id, "night": night, "sold_out": sold_out, "sequence": event.sequence}
            for night, sold_out in sorted(nights.items())  # one order for all writers, so that none deadlock
        ]
    )
    newer = statement.excluded
    await session.execute(
        statement.on_conflict_do_update(
            index_elements=[SoldOutNight.listing_id, SoldOutNight.night],
            set_={"sold_out": newer.sold_out, "sequence": newer.sequence},
            where=SoldOutNight.sequence < newer.sequence,
        )
    )
    forget_pages(session)


async def prune(session: AsyncSession) -> None:
    """Forget the nights that nobody asks for any more. A fact that comes later still writes them anew, harmlessly."""
    await session.execute(delete(SoldOutNight).where(SoldOutNight.night < func.current_date() - KEPT.days))
