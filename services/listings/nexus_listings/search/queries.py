"""The statements of the public search over listings: one per answer. `service.py` runs them.

Each filter has an index in `listings/models.py`; `tests/listings/test_search_plans.py` asks PostgreSQL. What bounds the
work of a page is told in docs/decisions/0011-search-in-postgresql.md.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import Any

from nexus_contracts.money import Money
from sqlalchemy import (
    ARRAY,
    CTE,
    BigInteger,
    ColumnElement,
    Date,
    Double,
    Integer,
    Row,
    Select,
    Text,
    and_,
    any_,
    case,
    cast,
    column,
    func,
    literal,
    literal_column,
    or_,
    select,
    true,
    tuple_,
    type_coerce,
    union_all,
)
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Bundle
from sqlalchemy.types import UserDefinedType

from nexus_listings import offers, shapes
from nexus_listings.categories.models import Category
from nexus_listings.listings.models import GLOBE, IS_PUBLISHED, RATED, Listing
from nexus_listings.meanings import Meaning, holds, is_ranked
from nexus_listings.search.schemas import (
    MOST_COUNTED,
    MOST_EXPLAINED,
    MOST_UNAVAILABLE,
    USUAL_RADIUS_KM,
    SearchQuery,
    Sort,
)

BARS = 20
"""At most so many, in the histogram of prices."""


class Polygon(UserDefinedType[str]):
    """PostgreSQL's own."""

    cache_ok = True

    def get_col_spec(self, **_: Any) -> str:
        """Its name."""
        return "polygon"


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
    Listing.rating,
    Listing.reviews,
    type_coerce(Listing.photos, JSONB)[0].label("cover"),
    Listing.published_at,
)


def cards() -> Select[*tuple[Any, ...]]:
    """A card's columns of published listings, for whoever knows which."""
    return select(*_CARD).where(IS_PUBLISHED)


def page(
    query: SearchQuery, meaning: Meaning, after: Sequence[Any] | None, ceiling: int | None = None
) -> Select[*tuple[Any, ...]]:
    """The cards after the one whose keys are `after`, and one more than fit the page if there are more.

    By the price of a stay, `ceiling` is the answer to the statement `reach`. First only ids and keys, of as many
    listings as are shown; what a card needs besides is read for these alone.
    """
    found = _found(query, meaning, after, ceiling).cte("found")
    keys = [each for each in found.c if each.name.startswith("key_")]
    columns: list[ColumnElement[Any]] = []
    if query.near is not None:
        columns.append(_chord(query.near).label("chord"))
    if query.check_ins:
        columns += [found.c.check_in, found.c.total, found.c.nightly]
    if query.flexible_days:
        columns.append(offers.all_stays(query).label("stays"))
    return (
        select(*_CARD, *keys, *columns)
        .join(found, found.c.id == Listing.id)
        .order_by(*(key.desc() if query.falls else key.asc() for key in keys))
    )


def reach(query: SearchQuery, meaning: Meaning, after: Sequence[Any] | None) -> Select[int]:
    """What no stay on the page by price can cost more than (by falling price: less than); null if there is none.

    What a stay costs is known only when it is computed, but not below `lowest_price` nor above `highest_price`. When as
    many as fit a page cost at most this, none comes before them that costs more for certain.
    """
    sure = Listing.lowest_price.expression if query.falls else Listing.highest_price.expression
    statement = _after(_matching(query, meaning, [sure.label("sure")]), query, _keys(query), after)
    enough = statement.order_by(sure.desc() if query.falls else sure).limit(query.limit + 1).subquery()
    return select(func.min(enough.c.sure) if query.falls else func.max(enough.c.sure))


def news(query: SearchQuery, meaning: Meaning, *conditions: ColumnElement[bool]) -> Select[*tuple[Any, ...]]:
    """The cards of what meets the conditions, too, the newest first; with each, how many there are in all."""
    found = _matching(query, meaning, [Listing.id]).where(*conditions).cte("found")
    return (
        select(*_CARD, func.count().over().label("matches"))
        .join(found, found.c.id == Listing.id)
        .order_by(Listing.published_at.desc(), Listing.id.desc())
    )


def total(query: SearchQuery, meaning: Meaning) -> Select[int]:
    """How many pass all filters; one more than `MOST_COUNTED` means that there are more."""
    return select(func.count()).select_from(_matching(query, meaning, [Listing.id]).limit(MOST_COUNTED + 1).subquery())


def category_counts(query: SearchQuery, meaning: Meaning) -> Select[str, int, int]:
    """Each category with the number of listings in it and below; and of how many listings in all."""
    some = _some(query, meaning, Listing.category, category=None)
    above = select(Category.slug, Category.slug.label("above")).cte("above", recursive=True)
    above = above.union_all(
        select(above.c.slug, Category.parent)
        .join(Category, Category.slug == above.c.above)
        .where(Category.parent.is_not(None))
    )
    return (
        select(above.c.above, func.count(), _size(some))
        .join(some, some.c.category == above.c.slug)
        .group_by(above.c.above)
        .order_by(func.count().desc(), above.c.above)
    )


def amenity_counts(query: SearchQuery, meaning: Meaning) -> Select[str, int, int]:
    """Each amenity with the number of listings that have it; and of how many in all."""
    some = _some(query, meaning, Listing.amenities)
    each = func.unnest(some.c.amenities).table_valued(column("amenity", Text)).render_derived(name="each")
    return (
        select(each.c.amenity, func.count(), _size(some))
        .select_from(some)
        .join(each, true())
        .group_by(each.c.amenity)
        .order_by(func.count().desc(), each.c.amenity)
    )


def price_bars(query: SearchQuery, meaning: Meaning) -> Select[int, int, int, int]:
    """From, to, how many; and of how many in all. The last bar reaches to the highest price."""
    some = _some(query, meaning, offers.price(query).label("price"), min_price=None, max_price=None)
    price: ColumnElement[int] = some.c.price
    lowest: ColumnElement[int] = func.min(price)
    dear = type_coerce(func.percentile_disc(0.98).within_group(price), BigInteger)
    width = (dear - lowest) // BARS + 1
    edges = select(lowest.label("low"), func.max(price).label("high"), width.label("width")).cte("edges")
    place = func.least((price - edges.c.low) // edges.c.width, BARS - 1, type_=BigInteger)
    low = edges.c.low + place * edges.c.width
    high = case((place == BARS - 1, edges.c.high), else_=low + edges.c.width - 1)
    return (
        select(low, high, func.count(), _size(some))
        .select_from(some)
        .join(edges, true())
        .group_by(low, high)
        .order_by(low)
    )


def unavailable(query: SearchQuery, meaning: Meaning) -> Select[*tuple[Any, ...]]:
    """The cards of what passes every filter but the dates, with the reason; of the newest alone, so that it ends."""
    dateless = query.model_copy(update={"check_in": None, "check_out": None, "min_price": None, "max_price": None})
    newest = (
        _matching(dateless, meaning, [Listing.id])
        .where(*offers.could_be_in_price_range(query))
        .order_by(*_falling(_NEWEST))
    )
    candidates = newest.limit(MOST_EXPLAINED).cte("candidates")
    asked = offers.offer(literal(query.check_in, Date), query)
    return (
        select(*_CARD, asked.c.refusal.label("reason"))
        .join(candidates, candidates.c.id == Listing.id)
        .join(asked, true())
        .where(asked.c.refusal.is_not(None), *offers.in_price_range(asked.c.nightly, query))
        .where(~select(literal_column("1")).select_from(offers.stay(query)).exists())
        .order_by(*_falling(_NEWEST))
        .limit(MOST_UNAVAILABLE)
    )


# ------------------------------------------------------------------------------------------------------ order and place

_NEWEST: tuple[ColumnElement[Any], ...] = (Listing.published_at.expression, Listing.id.expression)


def _found(
    query: SearchQuery, meaning: Meaning, after: Sequence[Any] | None, ceiling: int | None
) -> Select[*tuple[Any, ...]]:
    """Ids with their keys (and their stay), in order. By relevance one rank after the other, none begun in vain."""
    keys = _keys(query)
    if query.sort is not Sort.RELEVANCE:
        statement = _after(_keyed(query, meaning, keys), query, keys, after)
        if ceiling is not None:
            statement = statement.where(
                Listing.highest_price >= ceiling if query.falls else Listing.lowest_price <= ceiling
            )
        return _in_order(statement, query, keys)
    ranks = []
    for rank in (3, 2, 1):
        if after is None or rank <= after[0]:
            ranked = _keyed(query, meaning, (literal_column(str(rank), Integer), *keys)).where(
                is_ranked(rank, query, meaning)
            )
            place = after[1:] if after is not None and rank == after[0] else None
            ranks.append(_in_order(_after(ranked, query, keys, place), query, keys))
    return select(union_all(*ranks).subquery()).limit(query.limit + 1)


def _keys(query: SearchQuery) -> tuple[ColumnElement[Any], ...]:
    """What a page is sorted by, the last of it the id."""
    match query.sort:
        case Sort.PRICE | Sort.PRICE_FALLING:
            return offers.price(query), Listing.id.expression
        case Sort.DISTANCE:
            return _chord(query.near or ""), Listing.id.expression
        case Sort.RATING:
            return RATED, Listing.reviews.expression, Listing.id.expression
        case _:
            return _NEWEST


def _keyed(query: SearchQuery, meaning: Meaning, keys: tuple[ColumnElement[Any], ...]) -> Select[*tuple[Any, ...]]:
    columns = [Listing.id.expression, *(key.label(f"key_{place}") for place, key in enumerate(keys))]
    if query.check_ins:
        columns += [each.label(each.name.removeprefix("stay.")) for each in offers.STAY]
    return _matching(query, meaning, columns)


def _after(
    statement: Select[*tuple[Any, ...]],
    query: SearchQuery,
    keys: tuple[ColumnElement[Any], ...],
    after: Sequence[Any] | None,
) -> Select[*tuple[Any, ...]]:
    """What comes after these keys."""
    if after is None:
        return statement
    place = tuple_(*(literal(value, key.type) for key, value in zip(keys, after, strict=True)))
    statement = statement.where(tuple_(*keys) < place if query.falls else tuple_(*keys) > place)
    if query.by_price_of_stay:  # no index knows the key itself
        return statement.where(Listing.lowest_price <= after[0] if query.falls else Listing.highest_price >= after[0])
    return statement


def _in_order(
    statement: Select[*tuple[Any, ...]], query: SearchQuery, keys: tuple[ColumnElement[Any], ...]
) -> Select[*tuple[Any, ...]]:
    return statement.order_by(*(_falling(keys) if query.falls else keys)).limit(query.limit + 1)


def _falling(keys: Sequence[ColumnElement[Any]]) -> list[ColumnElement[Any]]:
    return [key.desc() for key in keys]


# --------------------------------------------------------------------------------------------------------- the filters


def _matching(query: SearchQuery, meaning: Meaning, columns: Sequence[Any]) -> Select[*tuple[Any, ...]]:
    """What passes every filter."""
    statement = select(*columns).select_from(Listing).where(IS_PUBLISHED, *_filters(query, meaning))
    if query.check_ins:
        return statement.join(offers.stay(query), true()).where(*offers.could_be_in_price_range(query))
    return statement.where(*offers.in_price_range(Listing.price_amount, query))


def _some(query: SearchQuery, meaning: Meaning, column: Any, **other: Any) -> CTE:
    """So many as are counted at all of what passes the filters, some of them changed."""
    return _matching(query.model_copy(update=other), meaning, [column]).limit(MOST_COUNTED + 1).cte("some")


def _size(some: CTE) -> ColumnElement[int]:
    return select(func.count()).select_from(some).scalar_subquery()


def _filters(query: SearchQuery, meaning: Meaning) -> Iterator[ColumnElement[bool]]:
    if query.q is not None and query.sort is not Sort.RELEVANCE:
        yield holds(Listing.words, query, meaning)
    if query.category is not None:
        yield Listing.category == any_(literal(list(meaning.subtree), ARRAY(Text)))
    if query.city is not None:
        yield func.fold(Listing.city) == func.fold(query.city)
    if query.country is not None:
        yield Listing.country == query.country
    if query.guests is not None:
        yield Listing.capacity >= query.guests
    if query.amenities:
        yield Listing.amenities.contains(list(query.amenities))
    if query.host_id is not None:
        yield Listing.host_id == query.host_id
    yield from _where(query)


def _where(query: SearchQuery) -> Iterator[ColumnElement[bool]]:
    """Each place twice: by the cells that cover it, which have an index, and exactly."""
    if query.near is not None:
        radius = USUAL_RADIUS_KM if query.radius_km is None else query.radius_km
        yield _covered(shapes.around(shapes.point(query.near), radius))
        yield _exactly(_chord(query.near) <= shapes.chord(radius))
    if query.bbox is not None:
        box = shapes.box(query.bbox)
        west, east = Listing.longitude >= box.west, Listing.longitude <= box.east
        yield _covered(box)
        yield _exactly(
            Listing.latitude.between(box.south, box.north), (and_ if box.west < box.east else or_)(west, east)
        )
    if query.polygon is not None:
        corners = shapes.polygon(query.polygon)
        written = ",".join(f"({each.longitude!r},{each.latitude!r})" for each in corners)
        here = func.point(Listing.longitude, Listing.latitude)
        yield _covered(shapes.bounds(corners))
        yield _exactly(cast(literal(f"({written})", Text), Polygon).bool_op("@>")(here))


def _exactly(*conditions: ColumnElement[bool]) -> ColumnElement[bool]:
    """Said so that the planner expects it to hold: it would take it for a second filter, as strict as the cells."""
    return cast(and_(*conditions), Integer) != 0


def _covered(box: shapes.Box) -> ColumnElement[bool]:
    return or_(*(Listing.cell.between(span.first, span.last) for span in shapes.covering(box)))


def _chord(near: str) -> ColumnElement[float]:
    """The straight line to this point through a globe of radius 1: an index knows it; it grows with the distance."""
    here = shapes.point(near)
    return GLOBE.op("<->", return_type=Double())(
        func.on_globe(literal(here.latitude, Double), literal(here.longitude, Double))
    )
