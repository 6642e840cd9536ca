"""iCalendar as it is written and read: our own, other sites' habits, and nonsense."""

import contextlib
from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from nexus_bookings.ics import MOST_EVENTS, MOST_LINES, Taken, Unreadable, parse, render

TODAY = date(2027, 1, 10)
HORIZON = date(2028, 7, 1)
STAMP = datetime(2026, 11, 1, tzinfo=UTC)


def event(*lines: str) -> bytes:
    """A calendar with one event."""
    return calendar("\r\n".join(("BEGIN:VEVENT", *lines, "END:VEVENT")))


def calendar(*events: str) -> bytes:
    return "\r\n".join(("BEGIN:VCALENDAR", "VERSION:2.0", *events, "END:VCALENDAR", "")).encode()


def read(content: bytes, timezone: str = "Africa/Addis_Ababa") -> dict[str, tuple[date, date]]:
    reading = parse(content, timezone=timezone, today=TODAY, horizon=HORIZON)
    return {uid: (taken.first, taken.end) for uid, taken in reading.taken.items()}


days = st.integers(0, 500).map(lambda day: TODAY + timedelta(days=day))
stays = st.builds(
    lambda number, first, length: Taken(f"{number}@nexus", first, first + timedelta(days=length), "Reserved"),
    st.integers(0, 9),
    days,
    st.integers(1, 30),
)


@given(st.lists(stays, unique_by=lambda stay: stay.uid, max_size=10))
@settings(max_examples=50, deadline=None)
def test_what_is_written_is_what_is_read(written: list[Taken]) -> None:
    content = render("Häuschen; mit, Kommas\n und Zeilen", written, stamped=STAMP)

    assert read(content) == {stay.uid: (stay.first, stay.end) for stay in written}
    assert all(len(line) <= 75 for line in content.split(b"\r\n"))


@given(st.binary(max_size=300) | st.text(max_size=300).map(str.encode))
@settings(max_examples=200, deadline=None)
def test_nonsense_is_unreadable_or_takes_nothing(content: bytes) -> None:
    with contextlib.suppress(Unreadable):
        assert read(calendar(content.decode("latin-1"))) == {}


@pytest.mark.parametrize(
    "content", [b"", b"<html></html>", b"\xff\xfe\x00", b"BEGIN:VEVENT\r\nEND:VEVENT", calendar()[:-9]]
)
def test_what_is_no_calendar_is_said_so(content: bytes) -> None:
    with pytest.raises(Unreadable):
        read(content)


def test_a_calendar_may_not_be_endless() -> None:
    with pytest.raises(Unreadable, match="2001"):
        read(calendar(*["BEGIN:VEVENT\r\nEND:VEVENT"] * (MOST_EVENTS + 1)))
    with pytest.raises(Unreadable, match="lines"):
        read(calendar(*["X-A:1"] * MOST_LINES))


def test_of_two_events_with_one_uid_the_later_revision_counts() -> None:
    newer = "BEGIN:VEVENT\r\nUID:1\r\nSEQUENCE:2\r\nDTSTART;VALUE=DATE:20270301\r\nEND:VEVENT"
    older = "BEGIN:VEVENT\r\nUID:1\r\nSEQUENCE:1\r\nDTSTART;VALUE=DATE:20270401\r\nEND:VEVENT"

    assert read(calendar(newer, older)) == read(calendar(older, newer)) == {"1": (date(2027, 3, 1), date(2027, 3, 2))}


@pytest.mark.parametrize(
    ("timezone", "nights"),
    [
        ("Pacific/Auckland", (date(2027, 3, 2), date(2027, 3, 4))),
        ("America/New_York", (date(2027, 3, 1), date(2027, 3, 3))),
    ],
)
def test_an_instant_is_a_date_where_the_listing_is(timezone: str, nights: tuple[date, date]) -> None:
    content = event("UID:1", "DTSTART:20270301T200000Z", "DTEND:20270303T150000Z")

    assert read(content, timezone) == {"1": nights}


def zone(name: str, offset: str, rule: str) -> str:
    """A zone as calendars define them: its clocks change as the rule says, since 1601."""
    changes = [
        f"BEGIN:{kind}\r\nDTSTART:16010101T000000\r\nTZOFFSETFROM:{offset}\r\nTZOFFSETTO:{offset}\r\n"
        f"RRULE:{rule}\r\nEND:{kind}"
        for kind in ("STANDARD", "DAYLIGHT")
    ]
    return "\r\n".join(("BEGIN:VTIMEZONE", f"TZID:{name}", *changes, "END:VTIMEZONE"))


@pytest.mark.parametrize("rule", ["FREQ=YEARLY", "FREQ=SECONDLY"])
def test_a_zone_that_a_calendar_defines_is_not_looked_at(rule: str) -> None:
    """One that changes its clocks every second keeps whoever follows its rule busy for ever."""
    stay = "BEGIN:VEVENT\r\nUID:1\r\nDTSTART;TZID=Own:20270301T010000\r\nDTEND;TZID=Own:20270303T010000\r\nEND:VEVENT"

    assert read(calendar(zone("Own", "+1200", rule), stay)) == {"1": (date(2027, 3, 1), date(2027, 3, 3))}


@pytest.mark.parametrize("name", ["Pacific/Auckland", "New Zealand Standard Time"])
def test_a_zone_that_everybody_knows_is_what_it_is_whatever_a_calendar_says(name: str) -> None:
    stay = f"BEGIN:VEVENT\r\nUID:1\r\nDTSTART;TZID={name}:20270301T010000\r\nEND:VEVENT"

    assert read(calendar(zone(name, "-1200", "FREQ=YEARLY"), stay)) == {"1": (date(2027, 2, 28), date(2027, 3, 1))}


@pytest.mark.parametrize(
    ("lines", "end"),
    [
        ((), date(2027, 3, 2)),
        (("DTEND;VALUE=DATE:20270301",), date(2027, 3, 2)),
        (("DURATION:P3D",), date(2027, 3, 4)),
        (("DTEND;VALUE=DATE:20270305",), date(2027, 3, 5)),
    ],
)
def test_an_event_ends_as_the_standard_says(lines: tuple[str, ...], end: date) -> None:
    assert read(event("UID:1", "DTSTART;VALUE=DATE:20270301", *lines)) == {"1": (date(2027, 3, 1), end)}


@pytest.mark.parametrize("line", ["STATUS:CANCELLED", "TRANSP:TRANSPARENT", "RRULE:FREQ=WEEKLY"])
def test_what_takes_no_nights_is_left_out_with_its_reason(line: str) -> None:
    reading = parse(event("UID:1", "DTSTART;VALUE=DATE:20270301", line), timezone="UTC", today=TODAY, horizon=HORIZON)

    assert reading.taken == {}
    assert len(reading.ignored) == 1
    assert reading.ignored[0].startswith("1: ")


def test_the_end_of_another_sites_booking_window_is_not_a_stay() -> None:
    stay = "BEGIN:VEVENT\r\nUID:stay\r\nDTSTART;VALUE=DATE:20270301\r\nDTEND;VALUE=DATE:20270305\r\nEND:VEVENT"
    beyond = (
        "BEGIN:VEVENT\r\nUID:beyond\r\nDTSTART;VALUE=DATE:20271008\r\nDTEND;VALUE=DATE:20280110\r\n"
        "SUMMARY:Other site (Not available)\r\nEND:VEVENT"
    )
    long_stay = beyond.replace("Other site (Not available)", "Reserved").replace("beyond", "long")

    assert set(read(calendar(stay, beyond))) == {"stay"}
    assert set(read(calendar(stay, long_stay))) == {"stay", "long"}


def test_what_is_past_or_beyond_our_own_window_is_cut_off() -> None:
    content = event("UID:1", "DTSTART;VALUE=DATE:20270101", "DTEND;VALUE=DATE:99990101")

    assert read(content) == {"1": (TODAY, HORIZON)}


def test_dates_that_cannot_be_read_are_not_taken_for_free_nights() -> None:
    reading = parse(event("UID:1", "DTSTART:tomorrow"), timezone="UTC", today=TODAY, horizon=HORIZON)

    assert reading.taken == {}
    assert reading.unclear == {"1"}
