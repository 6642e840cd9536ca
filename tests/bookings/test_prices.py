"""Prices: exact to the minor unit, for any listing and any stay, by an independent reckoning."""

import operator
from collections.abc import Callable
from datetime import date, timedelta
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from nexus_bookings.pricing import Percentages, Price, percent_of, price
from nexus_bookings.stays import Stay
from nexus_contracts.listings import ListingSnapshot
from nexus_contracts.rates import LengthDiscount, RateRule, Rates, Weekday
from pydantic import ValidationError

from tests.bookings.given import birr, snapshot

FIRST = date(2027, 1, 1)
PERCENTAGES = Percentages(service_fee=10, tax=15, host_fee=3)

amounts = st.integers(0, 10**12)
percents = st.integers(0, 100)
days = st.dates(FIRST - timedelta(days=5), FIRST + timedelta(days=70))
rules = st.builds(
    RateRule,
    first_night=st.none() | days,
    last_night=st.none() | days,
    weekdays=st.lists(st.sampled_from(Weekday), max_size=3, unique=True).map(tuple),
    priority=st.integers(0, 2),
    price=st.none() | amounts.map(birr),
)
listings = st.builds(
    snapshot,
    price=amounts.map(birr),
    cleaning_fee=amounts.map(birr),
    included_guests=st.none() | st.integers(1, 5),
    extra_guest_fee=st.none() | amounts.map(birr),
    rates=st.lists(rules, max_size=4).map(lambda found: Rates(rules=tuple(found))),
    length_discounts=st.lists(
        st.builds(LengthDiscount, nights=st.integers(2, 40), percent=st.integers(1, 95)),
        max_size=4,
        unique_by=operator.attrgetter("nights"),
    ).map(tuple),
)
percentages = st.builds(Percentages, service_fee=percents, tax=percents, host_fee=percents)


def stay_of(listing: ListingSnapshot, length: int) -> Stay:
    return Stay.at(listing, FIRST, FIRST + timedelta(days=length))


def naively(listing: ListingSnapshot, stay: Stay, guests: int, shares: Percentages) -> dict[str, int]:
    """The same by decimals, one line after the other, as one would on paper."""

    def share(amount: Decimal, percent: int) -> Decimal:
        return (amount * percent / 100).quantize(Decimal(1), ROUND_HALF_UP)

    accommodation, day = Decimal(0), stay.check_in
    while day < stay.check_out:
        strongest = None
        for rule in listing.rates.rules:
            after = rule.first_night is None or day >= rule.first_night
            before = rule.last_night is None or day <= rule.last_night
            today = not rule.weekdays or day.strftime("%A").lower() in rule.weekdays
            speaks = after and before and today and rule.price is not None
            if speaks and (strongest is None or rule.priority >= strongest.priority):
                strongest = rule
        asked = strongest.price if strongest and strongest.price else listing.price
        accommodation, day = accommodation + asked.amount, day + timedelta(days=1)
    discount = Decimal(0)
    for reached in sorted(listing.length_discounts, key=operator.attrgetter("nights")):
        if len(stay.nights) >= reached.nights:
            discount = share(accommodation, reached.percent)
    extra = Decimal(0)
    if listing.included_guests is not None and listing.extra_guest_fee is not None:
        extra = Decimal(max(0, guests - listing.included_guests) * listing.extra_guest_fee.amount * len(stay.nights))
    host = accommodation - discount + extra + listing.cleaning_fee.amount
    lines = {
        "accommodation": accommodation,
        "length_discount": discount,
        "extra_guests": extra,
        "cleaning_fee": Decimal(listing.cleaning_fee.amount),
        "service_fee": share(host, shares.service_fee),
        "tax": share(host, shares.tax),
        "total": host + share(host, shares.service_fee) + share(host, shares.tax),
        "host_fee": share(host, shares.host_fee),
        "host_payout": host - share(host, shares.host_fee),
    }
    return {name: int(line) for name, line in lines.items()}


def lines(priced: Price) -> dict[str, int]:
    return {name: line["amount"] for name, line in priced.model_dump(exclude={"nights"}, exclude_none=True).items()}


@given(listing=listings, length=st.integers(1, 60), guests=st.integers(1, 8), shares=percentages)
def test_any_price_is_what_one_reckons_on_paper(
    listing: ListingSnapshot, length: int, guests: int, shares: Percentages
) -> None:
    stay = stay_of(listing, length)

    priced = price(listing, stay, guests, shares)

    assert lines(priced) == naively(listing, stay, guests, shares)
    assert [line.night for line in priced.nights] == stay.nights
    assert min(lines(priced).values()) >= 0


@given(listing=listings, length=st.integers(1, 60), guests=st.integers(1, 8), shares=percentages)
def test_what_the_guest_pays_is_divided_without_a_rest(
    listing: ListingSnapshot, length: int, guests: int, shares: Percentages
) -> None:
    priced = lines(price(listing, stay_of(listing, length), guests, shares))

    assert priced["total"] == priced["host_payout"] + priced["host_fee"] + priced["service_fee"] + priced["tax"]


@given(listing=listings, length=st.integers(1, 60), lost=amounts, shares=percentages)
def test_a_changed_stay_costs_no_less_than_was_lost_and_the_host_gets_the_rest_of_it(
    listing: ListingSnapshot, length: int, lost: int, shares: Percentages
) -> None:
    usual = lines(price(listing, stay_of(listing, length), 2, shares))

    changed = lines(price(listing, stay_of(listing, length), 2, shares, at_least=birr(lost)))

    rest = changed.pop("retained")
    assert changed["total"] == max(usual["total"], lost) == usual["total"] + rest
    assert changed == {**usual, "total": usual["total"] + rest, "host_payout": usual["host_payout"] + rest}


@given(listing=listings, length=st.integers(1, 60), guests=st.integers(1, 7))
def test_another_guest_or_a_dearer_night_never_makes_it_cheaper(
    listing: ListingSnapshot, length: int, guests: int
) -> None:
    stay = stay_of(listing, length)
    dearer = listing.model_copy(update={"price": birr(listing.price.amount + 1)})

    usual = lines(price(listing, stay, guests, PERCENTAGES))
    one_more = lines(price(listing, stay, guests + 1, PERCENTAGES))
    raised = lines(price(dearer, stay, guests, PERCENTAGES))

    assert one_more["total"] >= usual["total"]
    assert raised["total"] >= usual["total"]
    assert raised["host_payout"] >= usual["host_payout"]


@given(listing=listings, length=st.integers(1, 59), guests=st.integers(1, 8))
def test_another_night_never_makes_it_cheaper_unless_it_earns_a_discount(
    listing: ListingSnapshot, length: int, guests: int
) -> None:
    assume(all(discount.nights != length + 1 for discount in listing.length_discounts))

    shorter = price(listing, stay_of(listing, length), guests, PERCENTAGES)
    longer = price(listing, stay_of(listing, length + 1), guests, PERCENTAGES)

    assert longer.total.amount >= shorter.total.amount


@pytest.mark.parametrize(
    ("length", "discount"), [(6, 0), (7, 315_000), (27, 1_215_000), (28, 2_520_000), (30, 2_700_000)]
)
def test_of_several_discounts_the_longest_that_fits_counts(length: int, discount: int) -> None:
    listing = snapshot(
        length_discounts=(LengthDiscount(nights=28, percent=20), LengthDiscount(nights=7, percent=10)),
    )

    assert lines(price(listing, stay_of(listing, length), 2, PERCENTAGES))["length_discount"] == discount


@pytest.mark.parametrize(("guests", "extra"), [(1, 0), (2, 0), (3, 30_000), (4, 60_000)])
def test_guests_above_those_included_pay_for_each_night(guests: int, extra: int) -> None:
    listing = snapshot(included_guests=2, extra_guest_fee=birr(10_000))

    assert lines(price(listing, stay_of(listing, 3), guests, PERCENTAGES))["extra_guests"] == extra


@pytest.mark.parametrize(
    ("amount", "percent", "share"),
    [(0, 10, 0), (5, 10, 1), (4, 10, 0), (14, 10, 1), (15, 10, 2), (1_400_000, 10, 140_000), (99, 100, 99), (1, 50, 1)],
)
def test_half_a_minor_unit_is_rounded_up(amount: int, percent: int, share: int) -> None:
    assert percent_of(amount, percent) == share


@pytest.mark.parametrize(
    "distort",
    [
        lambda document: document["total"].update(amount=1),
        lambda document: document["tax"].update(amount=document["tax"]["amount"] + 1),
        lambda document: document["host_payout"].update(amount=0),
        lambda document: document["nights"].pop(),
        lambda document: document["nights"].clear(),
        lambda document: document["cleaning_fee"].update(currency="USD"),
        lambda document: document["nights"][0]["price"].update(currency="USD"),
        lambda document: document.pop("host_fee"),
        lambda document: document.update(retained={"amount": 1, "currency": "ETB"}),
    ],
)
def test_a_price_that_does_not_add_up_is_not_a_price(distort: Callable[[Any], Any]) -> None:
    document = price(snapshot(), stay_of(snapshot(), 3), 2, PERCENTAGES).model_dump()
    distort(document)

    with pytest.raises(ValidationError):
        Price.model_validate(document)
