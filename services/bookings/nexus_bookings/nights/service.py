"""Takes, frees and closes nights. bookings, listings and routes call it in their transactions; quotes reads with it.

All writers hold the listing's advisory lock until the transaction ends, so they follow one another: no deadlock, no
half-taken stay. In each move the lock is the last one taken (after the booking's row, then the payment's), and how many
units the listing has is read under it.
"""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from uuid import UUID

from nexus_contracts.bookings import NightsChanged
from nexus_contracts.listings import ListingSnapshot
from nexus_kit.db import driver, lock
from nexus_kit.errors import Conflict, Unprocessable
from nexus_kit.outbox import emit
from sqlalchemy import ColumnElement, delete, func, select, text, update
from sqlalchemy.ext.asyncio import AsyncSession

from nexus_bookings.nights.models import ClosedBy, Night
from nexus_bookings.stays import MOST_DAYS_AHEAD, MOST_NIGHTS, Stay, nights_between, today
from nexus_bookings.waiting_list import queries as line

FARTHEST = MOST_DAYS_AHEAD + MOST_NIGHTS
"""Days from now after which no night can be booked by anybody."""


@dataclass(frozen=True)
class Mirrored:
    """What a look at a calendar changed: nights, each unit counted."""

    closed: Counter[date]
    opened: Counter[date]
    conflicts: list[date]
    """Nights that it takes and of which too few units were free."""


class DatesUnavailable(Conflict):
    """At least one of these nights is taken, or not offered."""


class BookingWindow(Unprocessable):
    """The dates are farther away than can be booked yet."""


class NightsOver(Unprocessable):
    """All of these nights are over where the listing is."""


# The lowest free unit of each night. A night is free while fewer rows than units are taken, which also holds when the
# host has reduced the units below a number that is already given out. A night that the booking has already is its own.
# No series of unknown length is in it, or PostgreSQL would make a new plan each time, which costs more than running it.
_TAKE = """
    WITH offered AS (
        SELECT cast(snapshot ->> 'units' AS int) AS units FROM listing_copies WHERE listing_id = $1
    ), wanted AS (
        SELECT night FROM unnest($5::date[]) AS night
    ), free AS (
        SELECT wanted.night,
               count(taken.unit) + 1 = offered.units AS sold_out,
               coalesce(bool_or(taken.booking_id = $4), false) AS own,
               (SELECT min(below + 1) FROM unnest(0 || array_agg(coalesce(taken.unit, 0))) AS below
                 WHERE below + 1 <> ALL (array_agg(coalesce(taken.unit, 0)))) AS unit
          FROM offered CROSS JOIN wanted
          LEFT JOIN nights AS taken
                 ON taken.listing_id = $1 AND taken.night = wanted.night
                AND taken.night >= $2::date AND taken.night < $3::date  -- one range of the primary key
         GROUP BY wanted.night, offered.units
        HAVING count(taken.unit) < offered.units OR bool_or(taken.booking_id = $4)
    ), inserted AS (
        INSERT INTO nights (listing_id, night, unit, booking_id)
        SELECT $1, night, unit, $4 FROM free WHERE NOT own ORDER BY night
    )
    SELECT night, sold_out, own,
           EXISTS (SELECT FROM waiting_entries
                    WHERE due AND listing_id = $1 AND check_in < $3::date AND check_out > $2::date) AS others_wait
      FROM free ORDER BY night
"""

_TAKEN = """
    SELECT night, count(*) FROM nights
     WHERE listing_id = $1 AND night >= $2 AND night < $3
       AND ($4::uuid IS NULL OR booking_id IS DISTINCT FROM $4)
     GROUP BY night
"""

_NEXT_VERSION = """
    INSERT INTO nights_versions (listing_id, version) VALUES ($1, 1)
    ON CONFLICT (listing_id) DO UPDATE SET version = nights_versions.version + 1
    RETURNING version
"""

# The count sees the rows as they were before this statement deletes any. Nights that are over are nobody's news.
_RELEASE = text("""
    WITH gone AS (
        DELETE FROM nights
         WHERE booking_id = :booking_id AND NOT (night >= :kept_from AND night < :kept_to)
        RETURNING listing_id, night
    )
    SELECT night FROM gone
     WHERE night >= current_date - 1
       AND (SELECT cast(snapshot ->> 'units' AS int) FROM listing_copies WHERE listing_id = :listing_id)
         = (SELECT count(*) FROM nights AS taken
             WHERE taken.listing_id = gone.listing_id AND taken.night = gone.night)
     ORDER BY night
""")

_UNITS = text("SELECT cast(snapshot ->> 'units' AS int) FROM listing_copies WHERE listing_id = :listing_id")

# Of each night the lowest units that are free: so many of them, or as many as there are.
_CLOSE = text("""
    WITH wanted AS (
        SELECT night, closed FROM unnest(cast(:nights AS date[]), cast(:counts AS int[])) AS wanted (night, closed)
    ), held AS (
        SELECT wanted.night, wanted.closed, count(taken.unit) AS count, array_agg(coalesce(taken.unit, 0)) AS taken
          FROM wanted
          LEFT JOIN nights AS taken ON taken.listing_id = :listing_id AND taken.night = wanted.night
         GROUP BY wanted.night, wanted.closed
    )
    INSERT INTO nights (listing_id, night, unit, closed_by, calendar_id)
    SELECT :listing_id, held.night, free.unit, :closed_by, :calendar_id
      FROM held
     CROSS JOIN LATERAL (
        SELECT unit FROM generate_series(1, :units) AS unit
         WHERE unit <> ALL (held.taken)
         ORDER BY unit
         LIMIT greatest(least(held.closed, :units - held.count), 0)
     ) AS free
     ORDER BY night, unit
""")


async def take(session: AsyncSession, listing_id: UUID, stay: Stay, booking_id: UUID) -> None:
    """Take one unit of every night of the stay, or raise `DatesUnavailable`: then the transaction must not commit.

    Nights that the booking has already stay its own. Whoever waits for nights that became free comes first.
    """
    await lock(session, listing_id)
    connection = await driver(session)
    rows = await connection.fetch(_TAKE, listing_id, stay.check_in, stay.check_out, booking_id, stay.nights)
    if len(rows) < stay.length:
        raise DatesUnavailable
    new = [row["night"] for row in rows if not row["own"]]
    if rows[0]["others_wait"] and await line.others_come_first(session, listing_id, stay, booking_id, new):
        raise DatesUnavailable
    await _tell(session, listing_id, sold_out=[row["night"] for row in rows if row["sold_out"] and not row["own"]])


async def release(session: AsyncSession, listing_id: UUID, booking_id: UUID, *, keep: Stay | None = None) -> None:
    """Free every night that the booking holds, or all but those of the stay to keep; it may hold none."""
    kept_from, kept_to = (keep.check_in, keep.check_out) if keep else (date.min, date.min)
    what = {"booking_id": booking_id, "listing_id": listing_id, "kept_from": kept_from, "kept_to": kept_to}

    await lock(session, listing_id)
    freed = await session.scalars(_RELEASE, what)
    await _tell(session, listing_id, freed=list(freed))


async def keep_closed(session: AsyncSession, listing_id: UUID, booking_id: UUID) -> None:
    """The booking gives up its nights, and nobody gets them: whoever cancels on a guest does not sell them again."""
    await lock(session, listing_id)
    held = update(Night).where(Night.booking_id == booking_id)
    await session.execute(held.values(booking_id=None, closed_by=ClosedBy.CANCELLATION))


async def close(session: AsyncSession, listing: ListingSnapshot, first: date, end: date, units: int | None) -> None:
    """Have the host close so many units of each night in `[first, end)`, or all (None), as far as they are free.

    What the host closed there before is open again, so 0 opens them. Booked units stay booked, and what another site's
    calendar closed stays closed. Nights that are over are left as they are.
    """
    here = today(listing.timezone)
    if end <= here:
        raise NightsOver
    if end > here + timedelta(days=FARTHEST):
        raise BookingWindow(f"Nights may be at most {FARTHEST} days from now.", days=FARTHEST)
    first = max(first, here)

    await lock(session, listing.id)
    offered = await session.scalar(_UNITS, {"listing_id": listing.id})
    wanted = dict.fromkeys(nights_between(first, end), offered if units is None else units)
    theirs = Night.closed_by.in_((ClosedBy.HOST, ClosedBy.CANCELLATION))
    period = (Night.listing_id == listing.id) & (Night.night >= first) & (Night.night < end)
    await _close(session, listing.id, offered, period & theirs, wanted, ClosedBy.HOST)


async def mirror(
    session: AsyncSession, listing_id: UUID, calendar_id: UUID, wanted: Counter[date], *, opens: bool
) -> Mirrored:
    """Have a calendar close so many units of each night, and no other night; without `opens`, none fewer than now."""
    await lock(session, listing_id)
    units = await session.scalar(_UNITS, {"listing_id": listing_id})
    theirs = Night.calendar_id == calendar_id
    mine = Counter((await session.scalars(select(Night.night).where(theirs))).all())
    goal = Counter({night: min(count, units) for night, count in (wanted if opens else wanted | mine).items()})
    if not goal and not mine:
        return Mirrored(Counter(), Counter(), [])
    whole = {night: goal[night] for night in goal | mine}
    await _close(session, listing_id, units, theirs, whole, ClosedBy.CALENDAR, calendar_id)
    now = Counter((await session.scalars(select(Night.night).where(theirs))).all())
    return Mirrored(closed=now - mine, opened=mine - now, conflicts=sorted(goal - now))


async def holders(session: AsyncSession, listing: ListingSnapshot, first: date) -> dict[date, UUID | None]:
    """The nights from `first` on of which no unit is free, apart from what calendars closed.

    With whose booking has it, if the listing has one unit and it is booked.
    """
    rows = await session.execute(
        select(Night.night, func.array_agg(Night.booking_id))
        .where(Night.listing_id == listing.id, Night.night >= first, Night.calendar_id.is_(None))
        .group_by(Night.night)
        .having(func.count() >= listing.units)
    )
    return {night: bookings[0] if listing.units == 1 else None for night, bookings in rows}


async def change_units(session: AsyncSession, listing_id: UUID, former: int, units: int) -> None:
    """The host offers more or fewer units: nights that are full, or free, because of it are news."""
    await lock(session, listing_id)
    yesterday = datetime.now(UTC).date() - timedelta(days=1)  # it may still be today where the listing is
    counts = await taken(session, listing_id, yesterday, date.max)
    before, after = _full(counts, former), _full(counts, units)
    await _tell(session, listing_id, sold_out=sorted(after - before), freed=sorted(before - after))


async def forget_past(session: AsyncSession) -> None:
    """Forget which nights were closed once they are over everywhere. Bookings free theirs when they complete."""
    over = Night.closed_by.is_not(None) & (Night.night < func.current_date() - 2)
    await session.execute(delete(Night).where(over))


async def refuse_sold_out(
    session: AsyncSession, listing: ListingSnapshot, stay: Stay, *, besides: UUID | None = None
) -> None:
    """Raise `DatesUnavailable` if it is plain to see already. No lock, no promise: only `take` decides.

    What the booking `besides` has does not count.
    """
    if await full(session, listing, stay, besides=besides):
        raise DatesUnavailable


async def full(
    session: AsyncSession, listing: ListingSnapshot, stay: Stay, *, besides: UUID | None = None
) -> set[date]:
    """The nights of the stay of which no unit is left."""
    counts = await taken(session, listing.id, stay.check_in, stay.check_out, besides=besides)
    return _full(counts, listing.units)


async def taken(
    session: AsyncSession, listing_id: UUID, first: date, end: date, *, besides: UUID | None = None
) -> dict[date, int]:
    """How many units are taken of each night in `[first, end)`; a night of which none is taken is left out."""
    connection = await driver(session)
    return dict(await connection.fetch(_TAKEN, listing_id, first, end, besides))


async def _close(
    session: AsyncSession,
    listing_id: UUID,
    units: int,
    former: ColumnElement[bool],
    wanted: Mapping[date, int],
    closed_by: ClosedBy,
    calendar_id: UUID | None = None,
) -> None:
    """Put so many closed units of each night in the place of the former ones, as far as they are free."""
    first, end = min(wanted), max(wanted) + timedelta(days=1)
    before = _full(await taken(session, listing_id, first, end), units)
    await session.execute(delete(Night).where(former))
    claim = {"listing_id": listing_id, "units": units, "closed_by": closed_by.value, "calendar_id": calendar_id}
    await session.execute(_CLOSE, claim | {"nights": list(wanted), "counts": list(wanted.values())})
    after = _full(await taken(session, listing_id, first, end), units)
    await _tell(session, listing_id, sold_out=sorted(after - before), freed=sorted(before - after))


def _full(counts: Mapping[date, int], units: int) -> set[date]:
    """The nights of which no unit is left."""
    return {night for night, count in counts.items() if count >= units}


async def _tell(
    session: AsyncSession, listing_id: UUID, *, sold_out: list[date] | None = None, freed: list[date] | None = None
) -> None:
    if not sold_out and not freed:
        return
    if freed:
        await session.execute(line.look_again(listing_id, freed))
    connection = await driver(session)
    version: int = await connection.fetchval(_NEXT_VERSION, listing_id)
    changed = NightsChanged(listing_id=listing_id, sold_out=sold_out or [], freed=freed or [])
    await emit(session, changed, sequence=version)
