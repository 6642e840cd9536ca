"""What nights ask of the line, under their listing's lock: who comes first, and whom freed nights concern.

`nights.service` runs these; `service.py` counts places with them.
"""

from collections.abc import Collection
from datetime import date
from uuid import UUID

from nexus_kit.db import driver
from sqlalchemy import ScalarSelect, Update, func, select, update
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import aliased

from nexus_bookings.stays import Stay
from nexus_bookings.waiting_list.models import EntryStatus, WaitingEntry

# Of those who wait for such nights and could have their whole stay had the booking not just taken its own: is there one
# too few left for all of them? A guest in line is only behind those who came earlier. Nearly always nobody is `due`.
_OTHERS_COME_FIRST = """
    WITH offered AS (
        SELECT cast(snapshot ->> 'units' AS int) AS units FROM listing_copies WHERE listing_id = $1
    ), ahead AS MATERIALIZED (
        SELECT entry.check_in, entry.check_out
          FROM waiting_entries AS entry, offered
         WHERE entry.due AND entry.listing_id = $1
           AND entry.check_in < $3::date AND entry.check_out > $2::date
           AND entry.guest_id <> (SELECT guest_id FROM bookings WHERE id = $4)
           AND NOT EXISTS (
                SELECT FROM waiting_entries AS own
                 WHERE own.status = 'waiting' AND own.listing_id = $1 AND own.id < entry.id
                   AND own.guest_id = (SELECT guest_id FROM bookings WHERE id = $4)
                   AND own.check_in = $2::date AND own.check_out = $3::date)
           AND NOT EXISTS (
                SELECT FROM nights
                 WHERE nights.listing_id = $1
                   AND nights.night >= entry.check_in AND nights.night < entry.check_out
                   AND NOT (nights.booking_id IS NOT DISTINCT FROM $4
                            AND nights.night = ANY ($5::date[]))
                 GROUP BY nights.night HAVING count(*) >= offered.units)
    )
    SELECT EXISTS (
        SELECT FROM offered, unnest($5::date[]) AS night
         WHERE (SELECT count(*) FROM ahead WHERE night >= check_in AND night < check_out)
             > offered.units - (SELECT count(*) FROM nights AS taken
                                 WHERE taken.listing_id = $1 AND taken.night = night.night)
    )
"""


async def others_come_first(
    session: AsyncSession, listing_id: UUID, stay: Stay, booking_id: UUID, new: Collection[date]
) -> bool:
    """Whether a booking has just taken nights that somebody in line should have."""
    connection = await driver(session)
    found: bool = await connection.fetchval(
        _OTHERS_COME_FIRST, listing_id, stay.check_in, stay.check_out, booking_id, new
    )
    return found


def look_again(listing_id: UUID, freed: Collection[date]) -> Update:
    """Nights are free again: whoever waits for one of them is due."""
    concerned = (WaitingEntry.check_in <= max(freed)) & (WaitingEntry.check_out > min(freed)) & ~WaitingEntry.due
    waiting = (WaitingEntry.listing_id == listing_id) & (WaitingEntry.status == EntryStatus.WAITING)
    return update(WaitingEntry).where(waiting, concerned).values(due=True)


def place() -> ScalarSelect[int]:
    """How many wait for a night of the same stay and came no later: 1 is first in line."""
    other = aliased(WaitingEntry)
    overlaps = (other.check_in < WaitingEntry.check_out) & (other.check_out > WaitingEntry.check_in)
    in_line = (other.listing_id == WaitingEntry.listing_id) & (other.status == EntryStatus.WAITING)
    return (
        select(func.count())
        .where(in_line, overlaps, other.id <= WaitingEntry.id)
        .correlate(WaitingEntry)
        .scalar_subquery()
    )
