"""Answers a search: what its words mean, a page of results, and what was asked for besides.

`routes.py` calls `search` behind the cache; saved searches ask for `news`; `timers.py` prunes the words.
"""

from collections.abc import Callable, Sequence
from datetime import date, datetime, timedelta
from typing import Any
from uuid import UUID

import orjson
from nexus_contracts.money import Money
from nexus_kit.errors import FieldError, ValidationFailed
from nexus_kit.pages import Cursors, InvalidCursor, binding
from sqlalchemy import ColumnElement, Row, RowMapping, cast, delete, func, not_, or_, select
from sqlalchemy.dialects.postgresql import TSQUERY
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncSession
from sqlalchemy.orm import aliased

from nexus_listings import shapes
from nexus_listings.asked import Asked, Meaning, take_apart
from nexus_listings.listings.models import IS_PUBLISHED, Listing
from nexus_listings.meanings import MEANING
from nexus_listings.search import queries
from nexus_listings.search.models import Lexeme
from nexus_listings.search.schemas import (
    MOST_COUNTED,
    Count,
    Facets,
    FoundCard,
    Include,
    PriceBar,
    SearchPage,
    SearchQuery,
    Sort,
    StayOffer,
    Total,
    UnavailableCard,
)
from nexus_listings.terms import CURRENCY

_BESIDES = ("include", "explain_unavailable")
"""Parameters that change nothing in the list itself: the next page may do without them."""

_READ: dict[Sort, tuple[Callable[[Any], Any], ...]] = {
    Sort.RELEVANCE: (int, datetime.fromisoformat, UUID),
    Sort.NEWEST: (datetime.fromisoformat, UUID),
    Sort.PRICE: (int, UUID),
    Sort.PRICE_FALLING: (int, UUID),
    Sort.DISTANCE: (float, UUID),
    Sort.RATING: (float, int, UUID),
}
"""What the keys of each order are, in a cursor."""


async def search(reader: AsyncConnection, query: SearchQuery, cursors: Cursors) -> SearchPage:
    """One page, and on request more about all pages."""
    bound = binding(query, apart_from=_BESIDES)
    after, corrections = _place(query, cursors, bound)
    meaning = await _meaning(reader, query, corrections)
    if query.category is not None and not meaning.subtree:
        raise ValidationFailed(
            errors=[FieldError(pointer="category", code="unknown_category", message="No such category.")]
        )
    asked = take_apart(query, meaning, after)
    rows = await _page(reader, asked)
    shown = rows[: query.limit]
    cursor = None
    if len(rows) > len(shown):
        keys = [value for name, value in shown[-1].items() if name.startswith("key_")]
        cursor = cursors.seal(orjson.dumps([keys, meaning.corrections], default=str).decode(), bound)
    answer = SearchPage(items=[_card(query, row) for row in shown], next_cursor=cursor)
    # Assigned, not passed as None: what nobody asked for is left out of the answer.
    if query.include and Include.FACETS in query.include:
        answer.facets = await _facets(reader, asked)
    if query.include and Include.TOTAL in query.include:
        counted = (await reader.execute(queries.total(asked.form), asked.values)).scalar_one()
        answer.total = Total(count=min(counted, MOST_COUNTED), exact=counted <= MOST_COUNTED)
    if query.explain_unavailable and query.cursor is None:
        refused = (await reader.execute(queries.unavailable(asked.form), asked.values)).all()
        answer.unavailable = [UnavailableCard.model_validate(row) for row in refused]
    return answer


async def news(
    session: AsyncSession, query: SearchQuery, *conditions: ColumnElement[bool], limit: int
) -> Sequence[Row[*tuple[Any, ...]]]:
    """The newest cards that pass the filters and meet the conditions, too; in each row also how many do: `matches`."""
    meaning = await _meaning(session, query, None)
    form, values = take_apart(query.model_copy(update={"sort": Sort.NEWEST}), meaning)
    return (await session.execute(queries.news(form, *conditions).limit(limit), values)).all()


async def prune_words(session: AsyncSession) -> None:
    """Forget the words that no published listing has any more, and what two writers wrote at once."""
    first = aliased(Lexeme)
    twice = select(first.id).where(first.word == Lexeme.word, first.id < Lexeme.id).exists()
    written = Listing.words.bool_op("@@")(cast(func.quote_literal(Lexeme.word), TSQUERY))
    used = select(Listing.id).where(IS_PUBLISHED, written).exists()
    await session.execute(delete(Lexeme).where(or_(twice, not_(used))))


async def _page(reader: AsyncConnection, asked: Asked) -> Sequence[RowMapping]:
    form, values = asked
    if form.by_price_of_stay:
        ceiling = await reader.scalar(queries.reach(form), values)
        if ceiling is None:
            return []
        values = values | {"ceiling": ceiling}
    return (await reader.execute(queries.page(form), values)).mappings().all()


def _place(query: SearchQuery, cursors: Cursors, bound: bytes) -> tuple[list[Any] | None, dict[str, list[str]] | None]:
    """After which keys to go on, and what mistyped words meant on the first page: they mean the same on every page."""
    if query.cursor is None:
        return None, None
    opened = cursors.open(query.cursor, bound)
    try:
        keys, corrections = orjson.loads(opened)
        read = _READ[query.sort or Sort.NEWEST]
        return [each(value) for each, value in zip(read, keys, strict=True)], corrections
    except (ValueError, TypeError) as exc:  # sealed by a version of this code with other keys
        raise InvalidCursor from exc


async def _meaning(
    reader: AsyncConnection | AsyncSession, query: SearchQuery, corrections: dict[str, list[str]] | None
) -> Meaning:
    unknown = query.q if corrections is None else None
    if unknown is None and query.category is None:
        return Meaning(corrections=corrections or {})
    row = (await reader.execute(MEANING, {"category": query.category, "q": unknown})).one()
    return Meaning(row.subtree, row.corrections if corrections is None else corrections)


def _card(query: SearchQuery, row: RowMapping) -> FoundCard:
    found: dict[Any, Any] = dict(row)
    if query.near is not None:
        found["distance_km"] = round(shapes.kilometres(row["chord"]), 3)
    if query.check_ins:
        found["stay"] = _stay(query, row["check_in"], row["total"], row["nightly"])
    if query.flexible_days:
        found["stays"] = [_stay(query, date.fromisoformat(day), *amounts) for day, *amounts in row["stays"]]
    return FoundCard.model_validate(found)


def _stay(query: SearchQuery, check_in: date, total: int, nightly: int) -> StayOffer:
    return StayOffer(
        check_in=check_in,
        check_out=check_in + timedelta(days=query.nights),
        nightly=_money(nightly),
        accommodation=_money(total),
    )


async def _facets(reader: AsyncConnection, asked: Asked) -> Facets:
    form, values = asked
    categories = (await reader.execute(queries.category_counts(form), values)).all()
    amenities = (await reader.execute(queries.amenity_counts(form), values)).all()
    prices = (await reader.execute(queries.price_bars(form), values)).all()
    return Facets(
        categories=[Count(value=value, count=count) for value, count, _ in categories],
        amenities=[Count(value=value, count=count) for value, count, _ in amenities],
        prices=[PriceBar(low=_money(low), high=_money(high), count=count) for low, high, count, _ in prices],
        exact=all(row[-1] <= MOST_COUNTED for rows in (categories, amenities, prices) for row in rows[:1]),
    )


def _money(amount: int) -> Money:
    return Money(amount=amount, currency=CURRENCY)
