"""Rates for property tests: rules as a host may send them, and the calendar that one paints with them."""

from collections.abc import Iterable, Sequence
from datetime import date, timedelta
from typing import Any

from hypothesis import strategies as st
from nexus_contracts.money import Money
from nexus_contracts.rates import DayTerms, RateRule, Weekday

FIRST, LAST = date(2027, 1, 1), date(2027, 1, 21)
"""Few days, so that rules meet."""
DAYS = [FIRST + timedelta(days=number) for number in range(-8, (LAST - FIRST).days + 9)]
TERMS = ("price", "min_nights", "max_nights", "closed_to_arrival", "closed_to_departure")


def _maybe(values: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.none() | values


def _pairs(values: st.SearchStrategy[Any]) -> st.SearchStrategy[tuple[Any, Any]]:
    """Of two that are both there, the first is the smaller."""

    def in_order(pair: tuple[Any, Any]) -> bool:
        return None in pair or pair[0] <= pair[1]

    return st.tuples(_maybe(values), _maybe(values)).filter(in_order)


@st.composite
def rate_rules(draw: st.DrawFn) -> RateRule:
    """One that says something."""
    first_night, last_night = draw(_pairs(st.dates(FIRST, LAST)))
    min_nights, max_nights = draw(_pairs(st.integers(1, 30)))
    said = {
        "price": draw(_maybe(st.builds(Money, amount=st.integers(1, 10**6), currency=st.just("ETB")))),
        "min_nights": min_nights,
        "max_nights": max_nights,
        "closed_to_arrival": draw(_maybe(st.booleans())),
        "closed_to_departure": draw(_maybe(st.booleans())),
    }
    if all(value is None for value in said.values()):
        said["closed_to_arrival"] = True
    return RateRule(
        name=draw(st.sampled_from(["", "Timkat"])),
        first_night=first_night,
        last_night=last_night,
        weekdays=tuple(sorted(draw(st.sets(st.sampled_from(Weekday))), key=list(Weekday).index)),
        priority=draw(st.integers(0, 3)),
        **said,
    )


def painted(rules: Sequence[RateRule], days: Iterable[date]) -> dict[date, DayTerms]:
    """Paint a calendar with one rule after the other, the strongest last."""
    calendar: dict[date, dict[str, Any]] = {day: {} for day in days}
    for priority in sorted({rule.priority for rule in rules}):
        for rule in (rule for rule in rules if rule.priority == priority):
            for day, terms in calendar.items():
                if _is_about(rule, day):
                    terms |= {name: value for name in TERMS if (value := getattr(rule, name)) is not None}
    return {day: DayTerms(**terms) for day, terms in calendar.items()}


def _is_about(rule: RateRule, day: date) -> bool:
    if rule.first_night is not None and day < rule.first_night:
        return False
    if rule.last_night is not None and day > rule.last_night:
        return False
    return not rule.weekdays or list(Weekday)[day.isoweekday() - 1] in rule.weekdays
