"""Stays and their prices in a statement: the database function `offer`, as `search/queries.py` asks it.

What it answers, and why it is the only reading, is told in docs/decisions/0020-stays-are-searched-by-their-price.md.
"""

from collections.abc import Iterator
from typing import Any

from sqlalchemy import BigInteger, ColumnElement, Date, Select, Text, column, func, literal_column, select, true
from sqlalchemy.dialects.postgresql import aggregate_order_by
from sqlalchemy.sql.selectable import LateralFromClause

from nexus_listings.asked import Form, value
from nexus_listings.listings.models import Listing


def offer(check_in: ColumnElement[Any]) -> LateralFromClause:
    """What the listing of the statement around offers for these nights: `offer` is a function of migration 0003."""
    offered = func.offer(literal_column("listings"), check_in, check_in + value("nights")).table_valued(
        column("refusal", Text), column("total", BigInteger), column("nightly", BigInteger)
    )
    return offered.lateral("offer")


def _stays(form: Form) -> tuple[Select[Any, int, int], ColumnElement[Any]]:
    """The stays that fit, of those that would do; and the day on which each begins."""
    days = func.unnest(value("check_ins")).table_valued(column("day", Date)).render_derived(name="days")
    offered = offer(days.c.day)
    fitting = (
        select(days.c.day.label("check_in"), offered.c.total, offered.c.nightly).select_from(days).join(offered, true())
    )
    return fitting.where(offered.c.refusal.is_(None), *in_price_range(offered.c.nightly, form)), days.c.day


STAY: tuple[ColumnElement[Any], ...] = (
    literal_column("stay.check_in", Date),
    literal_column("stay.total", BigInteger),
    literal_column("stay.nightly", BigInteger),
)
"""What `stay` adds to a statement that it is joined to."""


def stay(form: Form) -> LateralFromClause:
    """The first stay that fits: none, and the listing does not match."""
    stays, _ = _stays(form)
    return stays.limit(1).lateral("stay")


def all_stays(form: Form) -> ColumnElement[Any]:
    """Each as `[check_in, total, nightly]`, by date."""
    stays, check_in = _stays(form)
    each = func.json_build_array(*stays.selected_columns)
    return stays.with_only_columns(func.json_agg(aggregate_order_by(each, check_in))).scalar_subquery()


def price(form: Form) -> ColumnElement[Any]:
    """Of the average night of the stay or, without dates, the usual one."""
    return STAY[-1] if form.has_dates else Listing.price_amount.expression


def in_price_range(price: Any, form: Form) -> Iterator[ColumnElement[bool]]:
    """Whether the price is one that is asked for."""
    if "min_price" in form.given:
        yield price >= value("min_price")
    if "max_price" in form.given:
        yield price <= value("max_price")


def could_be_in_price_range(form: Form) -> Iterator[ColumnElement[bool]]:
    """Spare the stays that cannot be in the range."""
    if "min_price" in form.given:
        yield Listing.highest_price >= value("min_price")
    if "max_price" in form.given:
        yield Listing.lowest_price <= value("max_price")
