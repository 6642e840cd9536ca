"""What nights ask of the line, under their listing's lock: who comes first, and whom freed nights concern.

`nights.service` runs these; `service.py` counts places with them.
"""

from collections.abc import Collection
from datetime import date
from uuid import UUID

from sqlalchemy import ScalarSelect, TextClause, Update, func, select, text, update
from sqlalchemy.orm import aliased

from nexus_bookings.stays import Stay
from nexus_bookings.waiting_list.models import EntryStatus, WaitingEntry

# Of those who wait for such nights and could have their whole stay had the booking not just taken its own: is there one
# too few left for all of them? A guest in line is only behind those who came earlier. Nearly always nobody is `due`.
_OTHERS_COME_FIRST = text("""
    WITH offered AS (
        SELECT cast(snapshot ->> 'units' AS int) AS units FROM listing_copies WHERE listing_id = :listing_id
    ), ahead AS MATERIALIZED (
        SELECT entry.check_in, entry.check_out
          FROM waiting_entries AS entry, offered
         WHERE entry.due AND entry.listing_id = :listing_id
           AND entry.check_in < :check_out AND entry.check_out > :check_in
           AND entry.guest_id <> (SELECT guest_id FROM bookings WHERE id = :booking_id)
           AND NOT EXISTS (
                SELECT FROM waiting_entries AS own
                 WHERE own.status = 'waiting' AND own.listing_id = :listing_id AND own.id < entry.id
                   AND own.guest_id = (SELECT guest_id FROM bookings WHERE id = :booking_id)
                   AND own.check_in = :check_in AND own.check_out = :check_out)
           AND NOT EXISTS (
                SELECT FROM nights
                 WHERE nights.listing_id = :listing_id
                   AND nights.night >= entry.check_in AND nights.night < entry.check_out
                   AND NOT (nights.booking_id IS NOT DISTINCT FROM :booking_id
                            AND nights.night = ANY (cast(:new AS date[])))
                 GROUP BY nights.night HAVING count(*) >= offered.units)
    )
    SELECT EXISTS (
        SELECT FROM offered, unnest(cast(:new AS date[])) AS night
         WHERE (SELECT count(*) FROM ahead WHERE night >= check_in AND night < check_out)
             > offered.units - (SELECT count(*) FROM nights AS taken
                                 WHERE taken.listing_id = :listing_id AND taken.night = night.night)
    )
""")


def others_come_first(listing_id: UUID, stay: Stay, booking_id: UUID, new: Collection[date]) -> TextClause:
    """Whether a booking has just taken nights that somebody in line should have."""
    return _OTHERS_COME_FIRST.bindparams(
        listing_id=listing_id, booking_id=booking_id, check_in=stay.check_in, check_out=stay.check_out, new=list(new)
    )


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
