"""Keeps `sold_out_nights` as bookings reports it. `main.py` lists it among the events that this service consumes."""

from collections.abc import Iterable
from datetime import date, timedelta
from uuid import UUID

from nexus_contracts.bookings import NightsChanged
from nexus_contracts.envelope import CloudEvent
from sqlalchemy import delete, func, text
from sqlalchemy.ext.asyncio import AsyncSession

from nexus_listings.nights.models import SoldOutNight
from nexus_listings.publicly import forget_pages

KEPT = timedelta(days=3)
"""How long a night that is over is remembered: no stay of a search begins so long ago in any time zone."""

_KEEP_THE_NEWER = text("""
    INSERT INTO sold_out_nights AS known (listing_id, night, sequence, sold_out)
    SELECT * FROM unnest(
        cast(:listing_ids AS uuid[]), cast(:nights AS date[]), cast(:sequences AS int[]), cast(:sold_out AS bool[])
    )
    ON CONFLICT (listing_id, night) DO UPDATE SET sequence = excluded.sequence, sold_out = excluded.sold_out
     WHERE known.sequence < excluded.sequence
""")


async def apply_nights_changed(session: AsyncSession, events: Iterable[CloudEvent[NightsChanged]]) -> None:
    """Write down what is newer than what we know of each night; events may arrive in any order."""
    newest: dict[tuple[UUID, date], tuple[int, bool]] = {}
    for event in events:
        changed = event.data
        for night, sold_out in (dict.fromkeys(changed.freed, False) | dict.fromkeys(changed.sold_out, True)).items():
            known = newest.get((changed.listing_id, night))
            if known is None or known[0] < event.sequence:
                newest[changed.listing_id, night] = event.sequence, sold_out
    if not newest:
        return
    rows = sorted((*night, *word) for night, word in newest.items())  # one order for all writers, so that none deadlock
    columns = dict(zip(("listing_ids", "nights", "sequences", "sold_out"), zip(*rows, strict=True), strict=True))
    await session.execute(_KEEP_THE_NEWER, columns)
    forget_pages(session)


async def prune(session: AsyncSession) -> None:
    """Forget the nights that nobody asks for any more. A fact that comes later still writes them anew, harmlessly."""
    await session.execute(delete(SoldOutNight).where(SoldOutNight.night < func.current_date() - KEPT.days))
