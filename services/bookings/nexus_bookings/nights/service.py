"""Takes and frees nights. bookings and listings call it in their transactions; quotes and the calendar read with it.

All writers hold the listing's advisory lock until the transaction ends, so they follow one another: no deadlock, no
half-taken stay. The lock is always the last one taken (after the booking's row, then the payment's).
"""

from datetime import UTC, date, datetime, timedelta
from uuid import UUID

from nexus_contracts.bookings import NightsChanged
from nexus_contracts.listings import ListingSnapshot
from nexus_kit.db import lock, retry_on_conflict
from nexus_kit.errors import Conflict
from nexus_kit.outbox import emit
from sqlalchemy import func, select, text
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from nexus_bookings.nights.models import Night, NightsVersion
from nexus_bookings.stays import Stay


class DatesUnavailable(Conflict):
    """Somebody else holds at least one of these nights."""


# The lowest free unit of each night. A night is free while fewer rows than units are taken, which also holds when the
# host has reduced the units below a number that is already given out.
_TAKE = text("""
    WITH wanted AS (
        SELECT cast(:check_in AS date) + day AS night FROM generate_series(0, :length - 1) AS day
    ), free AS (
        SELECT wanted.night,
               count(taken.unit) + 1 = :units AS sold_out,
               (SELECT min(unit) FROM generate_series(1, :units) AS unit
                 WHERE unit <> ALL (array_agg(coalesce(taken.unit, 0)))) AS unit
          FROM wanted
          LEFT JOIN nights AS taken
                 ON taken.listing_id = :listing_id AND taken.night = wanted.night
                AND taken.night >= :check_in AND taken.night < :check_out  -- one range of the primary key
         GROUP BY wanted.night
        HAVING count(taken.unit) < :units
    ), inserted AS (
        INSERT INTO nights (listing_id, night, unit, booking_id)
        SELECT :listing_id, night, unit, :booking_id FROM free ORDER BY night
    )
    SELECT night, sold_out FROM free ORDER BY night
""")

# The count sees the rows as they were before this statement deletes any. Nights that are over are nobody's news.
_RELEASE = text("""
    WITH gone AS (DELETE FROM nights WHERE booking_id = :booking_id RETURNING listing_id, night)
    SELECT night FROM gone
     WHERE night >= current_date - 1
       AND :units = (SELECT count(*) FROM nights AS taken
                      WHERE taken.listing_id = gone.listing_id AND taken.night = gone.night)
     ORDER BY night
""")


async def take(session: AsyncSession, listing: ListingSnapshot, stay: Stay, booking_id: UUID) -> None:
    """Take one unit of every night of the stay, or raise `DatesUnavailable`: then the transaction must not commit."""

    async def attempt() -> None:
        await lock(session, listing.id)
        rows = (
            await session.execute(
                _TAKE,
                {
                    "listing_id": listing.id,
                    "units": listing.units,
                    "check_in": stay.check_in,
                    "check_out": stay.check_out,
                    "length": stay.length,
                    "booking_id": booking_id,
                },
            )
        ).all()
        if len(rows) < stay.length:
            raise DatesUnavailable
        await _tell(session, listing.id, sold_out=[row.night for row in rows if row.sold_out])

    await retry_on_conflict(session, attempt)


async def release(session: AsyncSession, listing: ListingSnapshot, booking_id: UUID) -> None:
    """Free every night that the booking holds; it may hold none."""

    async def attempt() -> None:
        await lock(session, listing.id)
        freed = await session.scalars(_RELEASE, {"booking_id": booking_id, "units": listing.units})
        await _tell(session, listing.id, freed=list(freed))

    await retry_on_conflict(session, attempt)


async def change_units(session: AsyncSession, listing_id: UUID, former: int, units: int) -> None:
    """The host offers more or fewer units: nights that are full, or free, because of it are news."""

    async def attempt() -> None:
        await lock(session, listing_id)
        yesterday = datetime.now(UTC).date() - timedelta(days=1)  # it may still be today where the listing is
        counts = sorted((await taken(session, listing_id, yesterday, date.max)).items())
        sold_out = [night for night, count in counts if units <= count < former]
        freed = [night for night, count in counts if former <= count < units]
        await _tell(session, listing_id, sold_out=sold_out, freed=freed)

    await retry_on_conflict(session, attempt)


async def refuse_sold_out(session: AsyncSession, listing: ListingSnapshot, stay: Stay) -> None:
    """Raise `DatesUnavailable` if it is plain to see already. No lock, no promise: only `take` decides."""
    counts = await taken(session, listing.id, stay.check_in, stay.check_out)
    if any(count >= listing.units for count in counts.values()):
        raise DatesUnavailable


async def taken(session: AsyncSession, listing_id: UUID, first: date, end: date) -> dict[date, int]:
    """How many units are taken of each night in `[first, end)`; a night of which none is taken is left out."""
    rows = await session.execute(
        select(Night.night, func.count())
        .where(Night.listing_id == listing_id, Night.night >= first, Night.night < end)
        .group_by(Night.night)
    )
    return {night: count for night, count in rows}  # noqa: C416 - dict() does not type-check on rows


async def _tell(
    session: AsyncSession, listing_id: UUID, *, sold_out: list[date] | None = None, freed: list[date] | None = None
) -> None:
    if not sold_out and not freed:
        return
    first = insert(NightsVersion).values(listing_id=listing_id, version=1)
    version = await session.scalar(
        first.on_conflict_do_update(
            index_elements=[NightsVersion.listing_id], set_={"version": NightsVersion.version + 1}
        ).returning(NightsVersion.version)
    )
    changed = NightsChanged(listing_id=listing_id, sold_out=sold_out or [], freed=freed or [])
    await emit(session, changed, sequence=version or 1)
