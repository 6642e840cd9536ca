"""Stays across every change of clocks of every zone: nights are dates, and each instant is what a local clock shows."""

from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from functools import cache
from zoneinfo import ZoneInfo, available_timezones

import pytest
from hypothesis import given
from hypothesis import strategies as st
from nexus_bookings.cancellation import terms
from nexus_bookings.pricing import Percentages, price
from nexus_bookings.stays import Stay, instant
from nexus_contracts.listings import CancellationPolicy
from nexus_contracts.rates import CancellationTier

from tests.bookings.given import snapshot

ZONES = sorted(available_timezones() - {"localtime"})
HORIZON = range(2026, 2038)
"""Every year for which tzdata lists the changes and for which somebody can book today."""
FREE_OF_TAX = Percentages(service_fee=10, tax=0, host_fee=3)
CUSTOM = tuple(CancellationTier(hours_before_check_in=hours, refund_percent=hours) for hours in (96, 49, 1))


def changes(zone: tzinfo) -> Iterator[date]:
    """The local dates on which the clocks change, found by halving the ten days in which the offset has changed."""
    before = datetime(HORIZON[0], 1, 1, tzinfo=UTC)
    while before.year in HORIZON:
        after = before + timedelta(days=10)
        low, high = before, after
        if low.astimezone(zone).utcoffset() != high.astimezone(zone).utcoffset():
            while high - low > timedelta(hours=1):
                middle = low + (high - low) / 2
                changed = middle.astimezone(zone).utcoffset() != low.astimezone(zone).utcoffset()
                low, high = (low, middle) if changed else (middle, high)
            yield low.astimezone(zone).date()
        before = after


@cache
def naively(day: date, at: time, zone: tzinfo) -> datetime:
    """When a clock shows this, by trying: the first instant that reads so, or as much later as was left out."""
    wall = datetime.combine(day, at)
    around = [datetime.combine(day, at, UTC) + timedelta(hours=hours) for hours in (-36, 36)]
    offsets = [each.astimezone(zone).utcoffset() or timedelta() for each in around]
    tried = sorted((wall - offset).replace(tzinfo=UTC) for offset in offsets)
    showing = [each for each in tried if each.astimezone(zone).replace(tzinfo=None) == wall]
    return showing[0] if showing else (wall - offsets[0]).replace(tzinfo=UTC)


def check(timezone: str, check_in: date, length: int, begins: time, ends: time) -> None:
    zone = ZoneInfo(timezone)
    listing = snapshot(timezone=timezone, check_in_time=begins, check_out_time=ends, cancellation_tiers=CUSTOM)
    stay = Stay.at(listing, check_in, check_in + timedelta(days=length))

    assert len(price(listing, stay, 1, FREE_OF_TAX).nights) == length == stay.length
    assert stay.begins_at == naively(check_in, begins, zone)
    assert stay.ends_at == naively(stay.check_out, ends, zone)
    assert stay.begins_at < stay.ends_at
    for policy in CancellationPolicy:
        tiers = terms(listing.model_copy(update={"cancellation_policy": policy}), stay).tiers
        deadlines = [tier.until for tier in tiers]
        assert deadlines == sorted(set(deadlines))
        assert [tier.refund_percent for tier in tiers] == sorted((tier.refund_percent for tier in tiers), reverse=True)
        assert deadlines[-1] <= stay.begins_at


@pytest.mark.parametrize("letter", sorted({zone[0] for zone in ZONES}))
def test_stays_across_every_change_of_clocks_of_every_zone_are_priced_and_timed_right(letter: str) -> None:
    for timezone in (zone for zone in ZONES if zone.startswith(letter)):
        for day in changes(ZoneInfo(timezone)):
            for first in (day - timedelta(days=1), day):
                check(timezone, first, 1, time(15), time(11))
                for hour in range(4):  # most clocks change at one of these
                    check(timezone, first, 1, time(hour, 30), time(hour, 15))
            check(timezone, day - timedelta(days=3), 7, time(22), time(8))


def test_the_changes_of_clocks_are_found() -> None:
    found = {timezone: list(changes(ZoneInfo(timezone))) for timezone in ("Europe/Rome", "Africa/Addis_Ababa")}

    assert found["Europe/Rome"][2:4] == [date(2027, 3, 28), date(2027, 10, 31)]
    assert len(found["Europe/Rome"]) == 2 * len(HORIZON)
    assert found["Africa/Addis_Ababa"] == []
    assert sum(1 for timezone in ZONES for _ in changes(ZoneInfo(timezone))) > 1000


@given(
    timezone=st.sampled_from(ZONES),
    check_in=st.dates(date(2012, 1, 10), date(2045, 1, 1)),
    length=st.integers(1, 40),
    begins=st.times(min_value=time(12)).map(lambda at: at.replace(second=0, microsecond=0)),
    ends=st.times(max_value=time(12)).map(lambda at: at.replace(second=0, microsecond=0)),
)
def test_any_stay_in_any_zone_is_priced_and_timed_right(
    timezone: str, check_in: date, length: int, begins: time, ends: time
) -> None:
    check(timezone, check_in, length, begins, ends)


@pytest.mark.parametrize(
    ("day", "at", "in_utc"),
    [
        (date(2027, 3, 27), time(15), "2027-03-27T14:00:00+00:00"),
        (date(2027, 3, 28), time(15), "2027-03-28T13:00:00+00:00"),
        (date(2027, 10, 31), time(15), "2027-10-31T14:00:00+00:00"),
        (date(2027, 3, 28), time(2, 30), "2027-03-28T01:30:00+00:00"),  # left out: it is 03:30 in summer
        (date(2027, 10, 31), time(2, 30), "2027-10-31T00:30:00+00:00"),  # comes twice: the first, still in summer
        (date(2027, 10, 31), time(2, 30, fold=1), "2027-10-31T00:30:00+00:00"),
    ],
)
def test_a_local_time_that_comes_twice_is_its_first_and_one_left_out_is_that_much_later(
    day: date, at: time, in_utc: str
) -> None:
    assert instant(day, at, "Europe/Rome").isoformat() == in_utc


def test_a_deadline_in_days_keeps_the_hour_of_check_in_and_one_in_hours_does_not() -> None:
    listing = snapshot(timezone="Europe/Rome", cancellation_tiers=(CUSTOM[0],))
    stay = Stay.at(listing, date(2027, 3, 29), date(2027, 3, 30))  # the day before has 23 hours

    by_days = terms(listing, stay).tiers[0].until.astimezone(ZoneInfo("Europe/Rome"))
    custom = listing.model_copy(update={"cancellation_policy": CancellationPolicy.CUSTOM})
    by_hours = terms(custom, stay).tiers[0].until.astimezone(ZoneInfo("Europe/Rome"))

    assert by_days.isoformat() == "2027-03-28T15:00:00+02:00"
    assert by_hours.isoformat() == "2027-03-25T14:00:00+01:00"
