"""The statement of the public search: one per page.

Each filter has an index in `models.py`; `tests/listings/test_search_plans.py` asks PostgreSQL."""

from collections.abc import Callable, Iterator, Sequence
from datetime import date
from typing import Any

from nexus_contracts.money import Money
from sqlalchemy import (
    ARRAY,
    BigInteger,
    ColumnElement,
    DateTime,
    Integer,
    Row,
    Select,
    Text,
    any_,
    cast,
    exists,
    func,
    select,
    type_coerce,
)
from sqlalchemy.orm import Bundle

from nexus_listings.categories.models import Category
from nexus_listings.listings.models import IS_PUBLISHED, Listing
from nexus_listings.nights.models import SoldOutNight
from nexus_listings.search.schemas import SearchQuery, Sort


class _Price(Bundle[Money]):
    """Two columns, read as one `Money`."""

    def create_row_processor(
        self, _: Select[Any], procs: Sequence[Callable[[Row[Any]], Any]], labels: Sequence[str]
    ) -> Callable[[Row[Any]], Any]:
        amount, currency = procs
        return lambda row: Money(amount=amount(row), currency=currency(row))


_CARD = (
    Listing.id,
    Listing.host_id,
    Listing.title,
    Listing.category,
    Listing.city,
    Listing.country,
    Listing.latitude,
    Listing.longitude,
    _Price("price", Listing.price_amount, Listing.currency),
    Listing.capacity,
    Listing.instant_book,
    Listing.published_at,
)


def search(query: SearchQuery) -> Select[*tuple[Any, ...]]:
    """A card's columns of the published listings that pass every filter, in the order asked for; ties broken by id.

    What they are sorted by stands among the columns: else sqlakeyset would add it under a new name each time, and no
    statement would be found prepared. It stands in front, where sqlakeyset looks first.
    """
    key, falls = _sorted_by(query)
    key = key.label("sorted_by")
    order = (key.desc(), Listing.id.desc()) if falls else (key.asc(), Listing.id.asc())
    return select(key, *_CARD).where(IS_PUBLISHED, *_filters(query)).order_by(*order)


def _filters(query: SearchQuery) -> Iterator[ColumnElement[bool]]:
    if query.q is not None:
        yield Listing.words.bool_op("@@")(_meant(query.q))
    if query.category is not None:
        yield Listing.category == any_(_subtree(query.category))
    if query.city is not None:
        yield func.fold(Listing.city) == func.fold(query.city)
    if query.country is not None:
        yield Listing.country == query.country
    if query.min_price is not None:
        yield Listing.price_amount >= query.min_price
    if query.max_price is not None:
        yield Listing.price_amount <= query.max_price
    if query.guests is not None:
        yield Listing.capacity >= query.guests
    if query.host_id is not None:
        yield Listing.host_id == query.host_id
    if query.check_in is not None and query.check_out is not None:
        yield from _free(query.check_in, query.check_out)


def _sorted_by(query: SearchQuery) -> tuple[ColumnElement[Any], bool]:
    """The expression, and whether it falls. The coercions only tell sqlakeyset that there are no nulls."""
    match query.sort:
        case Sort.RELEVANCE:
            # An integer, so that the same rank is the same number when it comes back in a cursor.
            rank = func.ts_rank(Listing.words, _meant(query.q or "")) * 1_000_000
            return cast(rank, Integer), True
        case Sort.PRICE | Sort.PRICE_FALLING:
            return type_coerce(Listing.price_amount, BigInteger), query.sort is Sort.PRICE_FALLING
        case _:
            return type_coerce(Listing.published_at, DateTime(timezone=True)), True


def _meant(words: str) -> ColumnElement[Any]:
    """Every word as it is written, or every word by its stem. No input is a syntax error."""
    folded = func.fold(words)
    return func.websearch_to_tsquery("simple", folded).op("||")(func.websearch_to_tsquery("english", folded))


def _subtree(slug: str) -> ColumnElement[Any]:
    """The slugs of a category and of all below it, found once and before the listings (an array, not a join)."""
    tree = select(Category.slug).where(Category.slug == slug).cte("subtree", recursive=True)
    tree = tree.union_all(select(Category.slug).where(Category.parent == tree.c.slug))
    return func.array(select(tree.c.slug).scalar_subquery(), type_=ARRAY(Text))


def _free(check_in: date, check_out: date) -> Iterator[ColumnElement[bool]]:
    """The stay is neither too short nor too long, and a unit is free on each of its nights."""
    yield Listing.min_nights <= (check_out - check_in).days
    yield Listing.max_nights >= (check_out - check_in).days
    yield ~exists().where(
        SoldOutNight.listing_id == Listing.id,
        SoldOutNight.night >= check_in,
        SoldOutNight.night < check_out,
        SoldOutNight.sold_out,
    )
