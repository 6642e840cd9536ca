"""iCalendar (RFC 5545), as far as places to stay exchange it: whole nights that are taken, and nobody's name.

`calendars` writes with `render` what other sites read, and reads with `parse` what they write.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

from icalendar import Calendar, Component, Event, vText
from icalendar.timezone import tzp
from icalendar.timezone.zoneinfo import ZONEINFO

from nexus_bookings.stays import nights_between

MOST_EVENTS = 2_000
MOST_LINES = 40_000
"""Reading one takes about 0.05 ms, and other sites need ten for an event."""

# Sites close what lies beyond their own booking window with one long row, which begins a day later every day. Taken
# over, it would close our far nights for good; it is told from a stay by all of these together.
_HORIZON_STARTS_AFTER = timedelta(days=90)
_HORIZON_LASTS = timedelta(days=60)
_HORIZON_WORDS = ("not available", "unavailable", "blocked", "closed")


class _PublishedZones(ZONEINFO):
    """The zones of the tz database and no others: what a calendar defines itself (VTIMEZONE) is not looked at.

    The library would keep such a zone for every other calendar that uses its name, and follow its rules change by
    change of clocks from their beginning: one that changes every hour since 1601 is never done.
    """

    def knows_timezone_id(self, tzid: str) -> bool:
        """Whether no definition is needed."""
        return True


tzp.use(_PublishedZones())


class Unreadable(Exception):
    """This is no calendar, or a larger one than any place to stay has."""


@dataclass(frozen=True)
class Taken:
    """Nights `[first, end)` that somebody has, under a name that stays the same."""

    uid: str
    first: date
    end: date
    summary: str = ""

    @property
    def nights(self) -> list[date]:
        """Every night, in order."""
        return nights_between(self.first, self.end)


@dataclass(frozen=True)
class Reading:
    """What a calendar says."""

    taken: Mapping[str, Taken]
    """By UID: of two with the same, the one with the higher SEQUENCE, or further down."""
    nights: Counter[date]
    """How many units it takes of each night."""
    unclear: frozenset[str]
    """UIDs of events whose dates cannot be read: what they took before is not known to be free."""
    ignored: list[str]
    """What was left out, and why."""


def render(name: str, taken: Iterable[Taken], *, stamped: datetime) -> bytes:
    """A calendar of all-day events. The same nights are the same bytes: `stamped` is when they last changed."""
    calendar = Calendar()
    calendar.add("prodid", "-//Nexus//Nights//EN")
    calendar.add("version", "2.0")
    calendar.add("calscale", "GREGORIAN")
    calendar.add("x-wr-calname", vText(name))
    for stay in taken:
        event = Event()
        event.add("uid", stay.uid)
        event.add("dtstamp", stamped)
        event.add("dtstart", stay.first)
        event.add("dtend", stay.end)
        event.add("summary", stay.summary)
        calendar.add_component(event)
    content: bytes = calendar.to_ical()
    return content


def parse(content: bytes, *, timezone: str, today: date, horizon: date) -> Reading:
    """The nights of `[today, horizon)` that the calendar takes, as dates in `timezone`. Raises `Unreadable`."""
    if (number := content.upper().count(b"BEGIN:VEVENT")) > MOST_EVENTS:
        raise Unreadable(f"A calendar may have {MOST_EVENTS} events; this one has {number}.")
    if content.count(b"\n") > MOST_LINES:
        raise Unreadable(f"A calendar may have {MOST_LINES} lines.")
    try:
        calendar = Calendar.from_ical(content)
    except (ValueError, IndexError, KeyError, AttributeError) as exc:
        raise Unreadable("This is not an iCalendar file.") from exc
    # One that was cut off on its way would open the nights of all that it does not mention.
    if calendar.name != "VCALENDAR" or not content.rstrip().upper().endswith(b"END:VCALENDAR"):
        raise Unreadable("This is not a whole iCalendar file.")
    ignored: list[str] = []
    unclear: set[str] = set()
    newest: dict[str, tuple[int, Taken]] = {}
    for event in calendar.walk("VEVENT"):
        uid = str(event.get("UID", "")).strip()
        try:
            found, sequence = _taken(event, uid, ZoneInfo(timezone)), int(event.get("SEQUENCE", 0))
        except (ValueError, TypeError, AttributeError, KeyError, OverflowError):
            ignored.append(f"{uid or 'an event'}: its dates cannot be read")
            unclear.add(uid)
            continue
        if isinstance(found, str):
            ignored.append(found)
        elif found.uid not in newest or newest[found.uid][0] <= sequence:
            newest[found.uid] = sequence, found
    taken = _within((stay for _, stay in newest.values()), ignored, today, horizon)
    nights = Counter(night for stay in taken.values() for night in stay.nights)
    return Reading(taken, nights, frozenset(unclear), ignored)


def _taken(event: Component, uid: str, zone: ZoneInfo) -> Taken | str:
    """The nights of one event, or why it takes none."""
    name = uid or "an event"
    if "DTSTART" not in event:
        return f"{name}: it has no beginning"
    if str(event.get("STATUS", "")).upper() == "CANCELLED":
        return f"{name}: it is cancelled"
    if str(event.get("TRANSP", "")).upper() == "TRANSPARENT":
        return f"{name}: it takes no time"
    if "RRULE" in event or "RDATE" in event:
        return f"{name}: repeated events are not taken over"
    first = _local_date(event.decoded("DTSTART"), zone)
    if "DTEND" in event:
        end = _local_date(event.decoded("DTEND"), zone)
    elif "DURATION" in event:
        end = _local_date(event.decoded("DTSTART") + event.decoded("DURATION"), zone)
    else:
        end = first + timedelta(days=1)
    end = max(end, first + timedelta(days=1))  # within one day: still that night
    return Taken(uid or f"{first}/{end}", first, end, str(event.get("SUMMARY", "")))


def _local_date(moment: date | datetime, zone: ZoneInfo) -> date:
    """A date as it is; an instant as the date it has where the listing is; a time of no known zone as its date."""
    if not isinstance(moment, datetime):
        return moment
    return (moment.astimezone(zone) if moment.tzinfo else moment).date()


def _within(stays: Iterable[Taken], ignored: list[str], today: date, horizon: date) -> dict[str, Taken]:
    taken = {}
    ahead = [stay for stay in stays if stay.end > today]
    last = max((stay.end for stay in ahead), default=today)
    for stay in ahead:
        if stay.end == last and _is_horizon(stay, today):
            ignored.append(f"{stay.uid}: it marks the end of that site's booking window")
        elif stay.first >= horizon:
            ignored.append(f"{stay.uid}: it lies beyond our booking window")
        else:
            taken[stay.uid] = Taken(stay.uid, max(stay.first, today), min(stay.end, horizon), stay.summary)
    return taken


def _is_horizon(stay: Taken, today: date) -> bool:
    words = stay.summary.lower()
    return (
        stay.first - today >= _HORIZON_STARTS_AFTER
        and stay.end - stay.first >= _HORIZON_LASTS
        and any(each in words for each in _HORIZON_WORDS)
    )
