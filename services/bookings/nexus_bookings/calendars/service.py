"""A listing's calendar for others, and others' for it. `routes.py` calls for hosts, `timers.py` runs `refresh`.

Looking at a calendar takes three steps, as every call to the outside does: claim it (and set when to look again, should
this process die), ask without holding a connection, write down what came.
"""

import asyncio
from collections import Counter
from collections.abc import Sequence
from datetime import date, timedelta
from hashlib import blake2b
from itertools import groupby
from uuid import UUID

import structlog
from nexus_contracts.bookings import CalendarConflicted
from nexus_contracts.listings import ListingSnapshot
from nexus_kit.db import Database, lock
from nexus_kit.errors import Conflict, NotFound
from nexus_kit.outbox import emit
from nexus_kit.runtime import Runtime
from sqlalchemy import func, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from nexus_bookings import ics
from nexus_bookings.calendars.models import Calendar, CalendarAddress, CalendarSync, Outcome, new_secret
from nexus_bookings.calendars.provider import CalendarReader, CannotFetch
from nexus_bookings.calendars.schemas import NewCalendar
from nexus_bookings.listings import service as listings
from nexus_bookings.nights import service as nights
from nexus_bookings.stays import today

log = structlog.get_logger(__name__)

MOST_CALENDARS = 10
"""That one listing follows."""
_AT_ONCE = 10
_PAUSE = timedelta(minutes=15)
_LONGEST_PAUSE = timedelta(days=1)
_HURRY_PAUSE = timedelta(minutes=1)
_SHOWN = 50
_MOST_IGNORED = 20


class TooManyCalendars(Conflict):
    """The listing follows as many calendars as it may."""


class CalendarKnown(Conflict):
    """The listing follows this calendar already."""


# ------------------------------------------------------------------------------------------------------------ out


async def render(session: AsyncSession, secret: str) -> tuple[bytes, int]:
    """The calendar with this secret address, and a number that changes when it does. `NotFound` for any other."""
    address = await session.scalar(select(CalendarAddress).where(CalendarAddress.secret == secret))
    if address is None:
        raise NotFound("There is no such calendar.")
    listing = await listings.known(session, address.listing_id)
    content = ics.render(listing.title, await _taken_here(session, listing), stamped=address.created_at)
    return content, int.from_bytes(blake2b(content, digest_size=7).digest())


async def secret_of(session: AsyncSession, listing_id: UUID, host_id: UUID) -> str:
    """The secret of the host's listing, made when it is first asked for."""
    await listings.own(session, listing_id, host_id)
    made = insert(CalendarAddress).values(listing_id=listing_id, secret=new_secret()).on_conflict_do_nothing()
    await session.execute(made)
    return (
        await session.execute(select(CalendarAddress.secret).where(CalendarAddress.listing_id == listing_id))
    ).scalar_one()


async def change_secret(session: AsyncSession, listing_id: UUID, host_id: UUID) -> str:
    """A new one; the former is worthless."""
    await listings.own(session, listing_id, host_id)
    made = insert(CalendarAddress).values(listing_id=listing_id, secret=new_secret())
    changed = made.on_conflict_do_update(
        index_elements=[CalendarAddress.listing_id], set_={"secret": made.excluded.secret}
    )
    return (await session.execute(changed.returning(CalendarAddress.secret))).scalar_one()


async def _taken_here(session: AsyncSession, listing: ListingSnapshot) -> list[ics.Taken]:
    """Runs of nights without a free unit. A listing of one unit shows each stay by itself.

    Nights that only followed calendars take are left out: two sites that repeat each other's would never open again.
    """
    holders = await nights.holders(session, listing, today(listing.timezone))
    runs = []
    for (holder, _), days in groupby(
        enumerate(sorted(holders.items())), key=lambda each: (each[1][1], each[1][0].toordinal() - each[0])
    ):
        first, *rest = [night for _, (night, _) in days]
        end = (rest[-1] if rest else first) + timedelta(days=1)
        summary = "Reserved" if holder else "Not available"
        runs.append(ics.Taken(f"{holder or listing.id}-{first:%Y%m%d}@nexus", first, end, summary))
    return runs


# ------------------------------------------------------------------------------------------------------------- in


async def follow(session: AsyncSession, new: NewCalendar, host_id: UUID) -> Calendar:
    """Look at this calendar from now on."""
    await listings.own(session, new.listing_id, host_id)
    await lock(session, f"calendars of {new.listing_id}")
    known = await followed(session, new.listing_id, host_id)
    if any(calendar.url == new.url for calendar in known):
        raise CalendarKnown
    if len(known) >= MOST_CALENDARS:
        raise TooManyCalendars(f"At most {MOST_CALENDARS}.", most=MOST_CALENDARS)
    calendar = Calendar(listing_id=new.listing_id, host_id=host_id, name=new.name, url=new.url)
    session.add(calendar)
    await session.flush()
    return calendar


async def followed(session: AsyncSession, listing_id: UUID, host_id: UUID) -> Sequence[Calendar]:
    """The calendars that the host's listing follows, oldest first."""
    await listings.own(session, listing_id, host_id)
    return (
        await session.scalars(select(Calendar).where(Calendar.listing_id == listing_id).order_by(Calendar.id))
    ).all()


async def get(session: AsyncSession, calendar_id: UUID, host_id: UUID) -> Calendar:
    """One of the host's."""
    calendar = await session.scalar(
        select(Calendar).where(Calendar.id == calendar_id, Calendar.host_id == host_id).with_for_update()
    )
    if calendar is None:
        raise NotFound("There is no such calendar.")
    return calendar


async def log_of(session: AsyncSession, calendar: Calendar) -> Sequence[CalendarSync]:
    """The last looks at it, newest first."""
    syncs = select(CalendarSync).where(CalendarSync.calendar_id == calendar.id).order_by(CalendarSync.id.desc())
    return (await session.scalars(syncs.limit(_SHOWN))).all()


async def hurry(session: AsyncSession, calendar_id: UUID, host_id: UUID) -> Calendar:
    """Look at it now, but never twice in a minute: it is somebody's server."""
    calendar = await get(session, calendar_id, host_id)
    last = await session.scalar(
        select(CalendarSync.at)
        .where(CalendarSync.calendar_id == calendar_id, CalendarSync.at > func.now() - _HURRY_PAUSE)
        .limit(1)
    )
    if last is None:
        calendar.sync_at = func.now()
        await session.flush()
        await session.refresh(calendar)
    return calendar


async def unfollow(session: AsyncSession, calendar_id: UUID, host_id: UUID) -> None:
    """Open what it closed, and forget it."""
    calendar = await get(session, calendar_id, host_id)
    await nights.mirror(session, calendar.listing_id, calendar.id, Counter(), opens=True)
    await session.delete(calendar)


async def refresh(runtime: Runtime, reader: CalendarReader) -> None:
    """Look at the calendars that are due, some at a time."""
    while True:
        async with runtime.database.unit_of_work() as session:
            due = await _claim(session)
        if not due:
            return
        async with asyncio.TaskGroup() as group:
            for calendar in due:
                group.create_task(_sync(runtime.database, reader, calendar))


async def _claim(session: AsyncSession) -> Sequence[Calendar]:
    """Some that are due. They are due again later, also if we crash."""
    due = select(Calendar).where(Calendar.sync_at <= func.now()).order_by(Calendar.sync_at).limit(_AT_ONCE)
    calendars = (await session.scalars(due.with_for_update(skip_locked=True))).all()
    for calendar in calendars:
        calendar.sync_at = func.now() + min(_PAUSE * 2 ** min(calendar.failures, 10), _LONGEST_PAUSE)
    await session.flush()
    return calendars


async def _sync(database: Database, reader: CalendarReader, calendar: Calendar) -> None:
    """Ask, and write down what came; a calendar that cannot be read changes no night."""
    try:
        found = await reader.fetch(calendar.url, calendar.etag)
        if found is None:
            async with database.unit_of_work() as session:
                await _record(session, calendar.id, CalendarSync(outcome=Outcome.UNCHANGED))
            return
        async with database.unit_of_work() as session:
            listing = await listings.known(session, calendar.listing_id)
        reading = await asyncio.to_thread(_read, found.content, listing)  # a large one takes a while
        async with database.unit_of_work() as session:
            await _take_over(session, calendar.id, listing, reading, found.etag)
    except Exception as exc:  # noqa: BLE001 - strangers' content: one calendar must not stop the others
        known = isinstance(exc, CannotFetch | ics.Unreadable)
        log.warning("calendar not read", calendar=str(calendar.id), error=str(exc) if known else repr(exc))
        async with database.unit_of_work() as session:
            reason = str(exc) if known else "It could not be taken over; we are looking into it."
            await _record(session, calendar.id, CalendarSync(outcome=Outcome.FAILED, error=reason))


def _read(content: bytes, listing: ListingSnapshot) -> ics.Reading:
    here = today(listing.timezone)
    horizon = here + timedelta(days=listing.booking_window_days + listing.max_nights)
    return ics.parse(content, timezone=listing.timezone, today=here, horizon=horizon)


async def _take_over(
    session: AsyncSession, calendar_id: UUID, listing: ListingSnapshot, reading: ics.Reading, etag: str | None
) -> None:
    calendar = await session.scalar(select(Calendar).where(Calendar.id == calendar_id).with_for_update())
    if calendar is None:
        return  # unfollowed meanwhile
    change = await nights.mirror(session, listing.id, calendar_id, reading.nights, opens=not reading.unclear)
    before = await session.scalar(
        select(CalendarSync.conflicts)
        .where(CalendarSync.calendar_id == calendar_id, CalendarSync.outcome == Outcome.SYNCED)
        .order_by(CalendarSync.id.desc())
        .limit(1)
    )
    # A calendar with an event that nobody can read is asked for in full again: its next version may be readable.
    calendar.etag = None if reading.unclear or change.conflicts else etag
    sync = CalendarSync(
        outcome=Outcome.SYNCED,
        events=len(reading.taken),
        closed=change.closed.total(),
        opened=change.opened.total(),
        conflicts=change.conflicts,
        ignored=reading.ignored[:_MOST_IGNORED],
    )
    await _record(session, calendar_id, sync)
    if new := sorted(set(change.conflicts) - set(before or ())):
        await _tell(session, calendar, listing, new)


async def _record(session: AsyncSession, calendar_id: UUID, sync: CalendarSync) -> None:
    """Add it to the log. Of looks in a row that say the same only the newest is kept."""
    calendar = await session.scalar(select(Calendar).where(Calendar.id == calendar_id).with_for_update())
    if calendar is None:
        return
    calendar.failures = calendar.failures + 1 if sync.outcome is Outcome.FAILED else 0
    last = await session.scalar(
        select(CalendarSync).where(CalendarSync.calendar_id == calendar_id).order_by(CalendarSync.id.desc()).limit(1)
    )
    sync.calendar_id = calendar_id
    if last is not None and _repeats(last, sync):
        await session.delete(last)
    session.add(sync)
    await session.flush()


def _repeats(last: CalendarSync, sync: CalendarSync) -> bool:
    """Whether it says nothing that the last one does not say."""
    said = (last.outcome, last.error, last.conflicts)
    return not (sync.closed or sync.opened) and said == (sync.outcome, sync.error, sync.conflicts or [])


async def _tell(session: AsyncSession, calendar: Calendar, listing: ListingSnapshot, conflicts: list[date]) -> None:
    """A night that is taken there was sold here, or the other way round: two guests will stand at one door."""
    calendar.conflicted += 1
    fact = CalendarConflicted(
        calendar_id=calendar.id,
        calendar_name=calendar.name,
        listing_id=listing.id,
        listing_title=listing.title,
        host_id=calendar.host_id,
        nights=conflicts,
    )
    await emit(session, fact, sequence=calendar.conflicted)
