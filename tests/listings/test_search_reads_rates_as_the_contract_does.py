"""`terms` and `offer` in the database read a host's terms as the contract says; a price never leaves its bounds."""

from datetime import date, timedelta
from typing import Any
from uuid import UUID

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from nexus_contracts.money import Money
from nexus_contracts.rates import LengthDiscount, RateRule, Rates, Weekday
from nexus_kit.testing import Service
from nexus_listings.listings.models import Listing
from sqlalchemy import insert, text

from tests.listings.given import soon
from tests.listings.naive import BASE, accommodation, average

FIRST = soon(30)
days = st.none() | st.integers(-3, 12).map(lambda ahead: FIRST + timedelta(days=ahead))
flags = st.none() | st.booleans()
rules = st.builds(
    RateRule,
    first_night=days,
    last_night=days,
    weekdays=st.lists(st.sampled_from(Weekday), unique=True, max_size=3).map(tuple),
    priority=st.integers(0, 2),
    price=st.none() | st.integers(1, 999).map(lambda amount: Money(amount=amount, currency="ETB")),
    min_nights=st.none() | st.integers(1, 4),
    max_nights=st.none() | st.integers(4, 7),
    closed_to_arrival=flags,
    closed_to_departure=flags,
)
rates = st.lists(rules, max_size=5).map(lambda some: Rates(rules=tuple(some)))
discounts = st.lists(
    st.builds(LengthDiscount, nights=st.integers(2, 9), percent=st.integers(1, 95)),
    max_size=3,
    unique_by=lambda each: each.nights,
)
quick = settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.too_slow])


@quick
@given(rates=rates)
async def test_the_terms_of_each_day_are_those_of_the_contract(service: Service, rates: Rates) -> None:
    statement = text("SELECT * FROM terms(CAST(:rates AS jsonb), :first, :last) ORDER BY day")
    last = FIRST + timedelta(days=9)

    async with service.database.unit_of_work() as session:
        found = (
            await session.execute(statement, {"rates": rates.model_dump_json(), "first": FIRST, "last": last})
        ).all()

    expected = [_terms(rates, FIRST + timedelta(days=ahead)) for ahead in range(10)]
    assert [tuple(row) for row in found] == expected


def _terms(rates: Rates, day: date) -> tuple[Any, ...]:
    on = rates.on(day)
    price = None if on.price is None else on.price.amount
    return day, price, on.min_nights, on.max_nights, on.closed_to_arrival, on.closed_to_departure


@pytest.mark.usefixtures("client")
@quick
@given(
    rates=rates,
    discounts=discounts,
    price=st.integers(1, 999),
    stays=st.lists(st.integers(1, 9), min_size=3, max_size=3),
)
async def test_a_stay_costs_what_its_nights_cost_and_never_leaves_its_bounds(
    service: Service, *, rates: Rates, discounts: list[LengthDiscount], price: int, stays: list[int]
) -> None:
    row = BASE | {"id": UUID(int=1), "price_amount": price, "rates": rates, "length_discounts": discounts}
    statement = text("SELECT total, nightly, lowest_price, highest_price FROM listings, offer(listings, :first, :last)")

    await service.clean(keep=["categories"])
    async with service.database.unit_of_work() as session:
        await session.execute(insert(Listing), [row])
        for start, nights in enumerate(stays):
            first = FIRST + timedelta(days=start)
            found = (await session.execute(statement, {"first": first, "last": first + timedelta(days=nights)})).one()

            total = accommodation(row, first, nights)
            assert (found.total, found.nightly) == (total, average(total, nights))
            assert found.lowest_price <= found.nightly <= found.highest_price
