"""The statements of the public search over listings: one per answer. `service.py` runs them with the values asked for.

Each filter has an index in `listings/models.py`; `tests/listings/test_search_plans.py` asks PostgreSQL. What bounds the
work of a page is told in docs/decisions/0011-search-in-postgresql.md.
"""

from collections.abc import Iterator, Sequence
from functools import lru_cache
from typing import Any

from sqlalchemy import (
    CTE,
    BigInteger,
    ColumnElement,
    Double,
    Integer,
    Select,
    Text,
    and_,
    any_,
    case,
    cast,
    column,
    func,
    literal_column,
    or_,
    select,
    true,
    tuple_,
    type_coerce,
    union_all,
)
from sqlalchemy.dialects.postgresql import JSON, JSONB
from sqlalchemy.types import UserDefinedType

from nexus_listings import offers
from nexus_listings.asked import Form, cells, key_after, value
from nexus_listings.categories.models import Category
from nexus_listings.listings.models import GLOBE, IS_PUBLISHED, RATED, Listing
from nexus_listings.meanings import holds, is_ranked
from nexus_listings.search.schemas import MOST_COUNTED, MOST_EXPLAINED, MOST_UNAVAILABLE, Sort

BARS = 20
"""At most so many, in the histogram of prices."""

_kept = lru_cache(maxsize=200)
"""For a statement that depends on the form alone: built, and made into SQL, once."""


class Polygon(UserDefinedType[str]):
    """PostgreSQL's own."""

    cache_ok = True

    def get_col_spec(self, **_: Any) -> str:
        """Its name."""
        return "polygon"


_PRICE: ColumnElement[Any] = func.json_build_object(
    *(literal_column("'amount'"), Listing.price_amount, literal_column("'currency'"), Listing.currency), type_=JSON
)
_CARD = (
    Listing.id,
    Listing.host_id,
    Listing.title,
    Listing.category,
    Listing.city,
    Listing.country,
    Listing.latitude,
    Listing.longitude,
    _PRICE.label("price"),
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


@_kept
def page(form: Form) -> Select[*tuple[Any, ...]]:
    """The cards of a page, and one more if there are more.

    By the price of a stay, the value `ceiling` is the answer to the statement `reach`. First only ids and keys, of as
    many listings as are shown; what a card needs besides is read for these alone.
    """
    found = _found(form).cte("found")
    keys = [each for each in found.c if each.name.startswith("key_")]
    columns: list[ColumnElement[Any]] = []
    if "near" in form.given:
        columns.append(_chord().label("chord"))
    if form.has_dates:
        columns += [found.c.check_in, found.c.total, found.c.nightly]
    if "flexible_days" in form.given:
        columns.append(offers.all_stays(form).label("stays"))
    return (
        select(*_CARD, *keys, *columns)
        .join(found, found.c.id == Listing.id)
        .order_by(*(key.desc() if form.falls else key.asc() for key in keys))
    )


@_kept
def reach(form: Form) -> Select[int]:
    """What no stay on the page by price can cost more than (by falling price: less than); null if there is none.

    What a stay costs is known only when it is computed, but not below `lowest_price` nor above `highest_price`. When as
    many as fit a page cost at most this, none comes before them that costs more for certain.
    """
    sure = Listing.lowest_price.expression if form.falls else Listing.highest_price.expression
    statement = _after(_matching(form, [sure.label("sure")]), form, _keys(form))
    enough = statement.order_by(sure.desc() if form.falls else sure).limit(value("limit")).subquery()
    return select(func.min(enough.c.sure) if form.falls else func.max(enough.c.sure))


def news(form: Form, *conditions: ColumnElement[bool]) -> Select[*tuple[Any, ...]]:
    """The cards of what meets the conditions, too, the newest first; with each, how many there are in all."""
    found = _matching(form, [Listing.id]).where(*conditions).cte("found")
    return (
        select(*_CARD, func.count().over().label("matches"))
        .join(found, found.c.id == Listing.id)
        .order_by(Listing.published_at.desc(), Listing.id.desc())
    )


@_kept
def total(form: Form) -> Select[int]:
    """How many pass all filters; one more than `MOST_COUNTED` means that there are more."""
    return select(func.count()).select_from(_matching(form, [Listing.id]).limit(MOST_COUNTED + 1).subquery())


@_kept
def category_counts(form: Form) -> Select[str, int, int]:
    """Each category with the number of listings in it and below; and of how many listings in all."""
    some = _some(form.without("category"), Listing.category)
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


@_kept
def amenity_counts(form: Form) -> Select[str, int, int]:
    """Each amenity with the number of listings that have it; and of how many in all."""
    some = _some(form, Listing.amenities)
    each = func.unnest(some.c.amenities).table_valued(column("amenity", Text)).render_derived(name="each")
    return (
        select(each.c.amenity, func.count(), _size(some))
        .select_from(some)
        .join(each, true())
        .group_by(each.c.amenity)
        .order_by(func.count().desc(), each.c.amenity)
    )


@_kept
def price_bars(form: Form) -> Select[int, int, int, int]:
    """From, to, how many; and of how many in all. The last bar reaches to the highest price."""
    some = _some(form.without("min_price", "max_price"), offers.price(form).label("price"))
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


@_kept
def unavailable(form: Form) -> Select[*tuple[Any, ...]]:
    """The cards of what passes every filter but the dates, with the reason; of the newest alone, so that it ends."""
    dateless = form.without("check_in", "min_price", "max_price")
    newest = _matching(dateless, [Listing.id]).where(*offers.could_be_in_price_range(form)).order_by(*_falling(_NEWEST))
    candidates = newest.limit(MOST_EXPLAINED).cte("candidates")
    asked = offers.offer(value("check_in"))
    return (
        select(*_CARD, asked.c.refusal.label("reason"))
        .join(candidates, candidates.c.id == Listing.id)
        .join(asked, true())
        .where(asked.c.refusal.is_not(None), *offers.in_price_range(asked.c.nightly, form))
        .where(~select(literal_column("1")).select_from(offers.stay(form)).exists())
        .order_by(*_falling(_NEWEST))
        .limit(MOST_UNAVAILABLE)
    )


# ------------------------------------------------------------------------------------------------------ order and place

_NEWEST: tuple[ColumnElement[Any], ...] = (Listing.published_at.expression, Listing.id.expression)


def _found(form: Form) -> Select[*tuple[Any, ...]]:
    """Ids with their keys (and their stay), in order. By relevance one rank after the other, none begun in vain."""
    keys = _keys(form)
    if form.sort is not Sort.RELEVANCE:
        statement = _after(_keyed(form, keys), form, keys)
        if form.by_price_of_stay:
            ceiling = value("ceiling")
            statement = statement.where(
                Listing.highest_price >= ceiling if form.falls else Listing.lowest_price <= ceiling
            )
        return _in_order(statement, form, keys)
    ranks = []
    for rank in (3, 2, 1):
        if form.after is None or rank <= form.after:
            ranked = _keyed(form, (literal_column(str(rank), Integer), *keys)).where(is_ranked(rank, form))
            if rank == form.after:
                ranked = _after(ranked, form, keys, first=1)
            ranks.append(_in_order(ranked, form, keys))
    return select(union_all(*ranks).subquery()).limit(value("limit"))


def _keys(form: Form) -> tuple[ColumnElement[Any], ...]:
    """What a page is sorted by, the last of it the id."""
    match form.sort:
        case Sort.PRICE | Sort.PRICE_FALLING:
            return offers.price(form), Listing.id.expression
        case Sort.DISTANCE:
            return _chord(), Listing.id.expression
        case Sort.RATING:
            return RATED, Listing.reviews.expression, Listing.id.expression
        case _:
            return _NEWEST


def _keyed(form: Form, keys: tuple[ColumnElement[Any], ...]) -> Select[*tuple[Any, ...]]:
    columns = [Listing.id.expression, *(key.label(f"key_{place}") for place, key in enumerate(keys))]
    if form.has_dates:
        columns += [each.label(each.name.removeprefix("stay.")) for each in offers.STAY]
    return _matching(form, columns)


def _after(
    statement: Select[*tuple[Any, ...]], form: Form, keys: tuple[ColumnElement[Any], ...], first: int = 0
) -> Select[*tuple[Any, ...]]:
    """What comes after the last listing shown. Its keys are `keys`, behind the `first` that are others."""
    if form.after is None:
        return statement
    shown = [key_after(place, key.type) for place, key in enumerate(keys, first)]
    statement = statement.where(tuple_(*keys) < tuple_(*shown) if form.falls else tuple_(*keys) > tuple_(*shown))
    if form.by_price_of_stay:  # no index knows the key itself
        return statement.where(Listing.lowest_price <= shown[0] if form.falls else Listing.highest_price >= shown[0])
    return statement


def _in_order(
    statement: Select[*tuple[Any, ...]], form: Form, keys: tuple[ColumnElement[Any], ...]
) -> Select[*tuple[Any, ...]]:
    return statement.order_by(*(_falling(keys) if form.falls else keys)).limit(value("limit"))


def _falling(keys: Sequence[ColumnElement[Any]]) -> list[ColumnElement[Any]]:
    return [key.desc() for key in keys]


# --------------------------------------------------------------------------------------------------------- the filters


def _matching(form: Form, columns: Sequence[Any]) -> Select[*tuple[Any, ...]]:
    """What passes every filter."""
    statement = select(*columns).select_from(Listing).where(IS_PUBLISHED, *_filters(form))
    if form.has_dates:
        return statement.join(offers.stay(form), true()).where(*offers.could_be_in_price_range(form))
    return statement.where(*offers.in_price_range(Listing.price_amount, form))


def _some(form: Form, column: Any) -> CTE:
    """So many as are counted at all of what passes the filters."""
    return _matching(form, [column]).limit(MOST_COUNTED + 1).cte("some")


def _size(some: CTE) -> ColumnElement[int]:
    return select(func.count()).select_from(some).scalar_subquery()


def _filters(form: Form) -> Iterator[ColumnElement[bool]]:
    if "q" in form.given and form.sort is not Sort.RELEVANCE:
        yield holds(Listing.words, form)
    if "category" in form.given:
        yield Listing.category == any_(value("category"))
    if "city" in form.given:
        yield func.fold(Listing.city) == func.fold(value("city"))
    if "country" in form.given:
        yield Listing.country == value("country")
    if "guests" in form.given:
        yield Listing.capacity >= value("guests")
    if "amenities" in form.given:
        yield Listing.amenities.contains(value("amenities"))
    if "host_id" in form.given:
        yield Listing.host_id == value("host_id")
    yield from _where(form)


def _where(form: Form) -> Iterator[ColumnElement[bool]]:
    """Each place twice: by the cells that cover it, which have an index, and exactly."""
    if "near" in form.given:
        yield _covered("near")
        yield _exactly(_chord() <= value("chord"))
    if "bbox" in form.given:
        west, south, east, north = map(value, ("west", "south", "east", "north"))
        sides = Listing.longitude >= west, Listing.longitude <= east
        yield _covered("bbox")
        yield _exactly(
            Listing.latitude.between(south, north),
            or_(and_(*sides), and_(west > east, or_(*sides))),  # with west over east it crosses the 180th meridian
        )
    if "polygon" in form.given:
        here = func.point(Listing.longitude, Listing.latitude)
        yield _covered("polygon")
        yield _exactly(cast(value("corners"), Polygon).bool_op("@>")(here))


def _exactly(*conditions: ColumnElement[bool]) -> ColumnElement[bool]:
    """Said so that the planner expects it to hold: it would take it for a second filter, as strict as the cells."""
    return cast(and_(*conditions), Integer) != 0


def _covered(place: str) -> ColumnElement[bool]:
    ends = cells(place)
    return or_(*(Listing.cell.between(first, last) for first, last in zip(ends[::2], ends[1::2], strict=True)))


def _chord() -> ColumnElement[float]:
    """The straight line to `near` through a globe of radius 1: an index knows it; it grows with the distance."""
    return GLOBE.op("<->", return_type=Double())(func.on_globe(value("latitude"), value("longitude")))
