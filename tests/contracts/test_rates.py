"""How rates are read: the host's rules, day by day, as a search and a quote must both understand them."""

from datetime import date, timedelta

from hypothesis import given
from hypothesis import strategies as st
from nexus_contracts.money import Money
from nexus_contracts.rates import DayTerms, RateRule, Rates, Weekday

from tests.rates import DAYS, painted, rate_rules

FRIDAY = date(2027, 1, 1)
CHEAP, DEAR = Money(amount=100, currency="ETB"), Money(amount=900, currency="ETB")


@given(rules=st.lists(rate_rules(), max_size=6))
def test_each_day_is_what_painting_a_calendar_rule_by_rule_makes_of_it(rules: list[RateRule]) -> None:
    rates = Rates(rules=tuple(rules))

    assert {day: rates.on(day) for day in DAYS} == painted(rules, DAYS)


@given(rules=st.lists(rate_rules(), max_size=4))
def test_rates_are_the_same_after_a_journey_as_json(rules: list[RateRule]) -> None:
    rates = Rates(rules=tuple(rules))

    assert Rates.model_validate_json(rates.model_dump_json()) == rates


@given(rules=st.lists(rate_rules(), max_size=4), silent=rate_rules(), day=st.sampled_from(DAYS))
def test_a_rule_about_other_days_changes_nothing(rules: list[RateRule], silent: RateRule, day: date) -> None:
    elsewhere = silent.model_copy(update={"first_night": day + timedelta(days=1), "last_night": None})

    assert Rates(rules=(*rules, elsewhere)).on(day) == Rates(rules=tuple(rules)).on(day)


@given(rules=st.lists(rate_rules(), max_size=4), rule=rate_rules(), day=st.sampled_from(DAYS))
def test_what_the_strongest_rule_says_holds(rules: list[RateRule], rule: RateRule, day: date) -> None:
    strongest = rule.model_copy(update={"priority": 9, "first_night": None, "last_night": None, "weekdays": ()})

    terms = Rates(rules=(strongest, *rules)).on(day)

    assert rule.price in (None, terms.price)
    assert rule.min_nights in (None, terms.min_nights)
    assert rule.closed_to_arrival in (None, terms.closed_to_arrival)


def test_without_rules_the_listing_has_the_word() -> None:
    assert Rates().on(FRIDAY) == DayTerms(price=None, min_nights=None, max_nights=None)


def test_both_ends_of_a_season_belong_to_it() -> None:
    season = RateRule(first_night=FRIDAY, last_night=FRIDAY + timedelta(days=2), price=DEAR)

    prices = [Rates(rules=(season,)).on(FRIDAY + timedelta(days=number)).price for number in range(-1, 4)]

    assert prices == [None, DEAR, DEAR, DEAR, None]


def test_of_equals_the_later_has_the_word_and_of_others_the_stronger() -> None:
    cheap, dear = RateRule(price=CHEAP), RateRule(price=DEAR)
    strong = RateRule(price=CHEAP, priority=1)

    assert Rates(rules=(cheap, dear)).on(FRIDAY).price == DEAR
    assert Rates(rules=(dear, cheap)).on(FRIDAY).price == CHEAP
    assert Rates(rules=(strong, dear)).on(FRIDAY).price == CHEAP


def test_each_term_has_its_own_strongest_rule() -> None:
    season = RateRule(priority=5, price=DEAR)
    weekend = RateRule(weekdays=(Weekday.FRIDAY,), price=CHEAP, min_nights=2)

    assert Rates(rules=(season, weekend)).on(FRIDAY) == DayTerms(price=DEAR, min_nights=2)


def test_a_stronger_rule_can_open_what_a_weaker_one_closed() -> None:
    closed = RateRule(closed_to_arrival=True, closed_to_departure=True)
    opened = RateRule(weekdays=(Weekday.FRIDAY,), priority=1, closed_to_arrival=False)

    assert Rates(rules=(closed, opened)).on(FRIDAY) == DayTerms(closed_to_departure=True)


@given(day=st.dates())
def test_a_weekday_is_what_the_calendar_says(day: date) -> None:
    assert (
        Weekday.of(day)
        == ["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"][day.toordinal() % 7 - 1]
    )
