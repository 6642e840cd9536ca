"""A search taken apart: its form, which decides the text of its statements, and the values that they run with.

`search/service.py` takes a query apart; `search/queries.py`, `offers.py` and `meanings.py` build statements of the form
alone, one for all searches of that form. So building a statement, which takes longer than running it, is done once,
and no value of one search can get into another.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import chain
from types import MappingProxyType
from typing import Any, NamedTuple

from sqlalchemy import ARRAY, BigInteger, BindParameter, Date, Double, Integer, Text, Uuid, bindparam
from sqlalchemy.types import TypeEngine

from nexus_listings import shapes
from nexus_listings.search.schemas import USUAL_RADIUS_KM, SearchQuery, Sort


class Meaning(NamedTuple):
    """What the small tables say that a query means. Known before the big table is asked, so that its plan fits."""

    subtree: Sequence[str] = ()
    """The slugs of `category` and of all below it."""
    corrections: Mapping[str, Sequence[str]] = MappingProxyType({})
    """For each word that no listing has: words that some have, and that differ little."""


@dataclass(frozen=True)
class Form:
    """What two searches share when they differ in nothing but values. Few are asked for."""

    given: frozenset[str]
    """The filters that are asked for, by their parameters' names."""
    sort: Sort
    after: int | None = None
    """None on the first page. Then, by relevance, the rank of the last listing shown; in any other order 0."""
    corrections: int = 0
    """How many words nobody has."""
    has_unwanted: bool = False
    """Whether there may be words that nobody wants."""

    @property
    def has_dates(self) -> bool:
        """Whether it asks for a stay."""
        return "check_in" in self.given

    @property
    def falls(self) -> bool:
        """Whether the order goes from high to low (new to old, near words to far ones)."""
        return self.sort not in {Sort.PRICE, Sort.DISTANCE}

    @property
    def by_price_of_stay(self) -> bool:
        """Whether the order is by a price that is known only when it is computed."""
        return self.has_dates and self.sort in {Sort.PRICE, Sort.PRICE_FALLING}

    def without(self, *filters: str) -> "Form":
        """Ask for less."""
        return replace(self, given=self.given.difference(filters))


class Asked(NamedTuple):
    """A search, apart."""

    form: Form
    values: dict[str, Any]
    """By the names that `value` gives them in a statement."""


_TYPES: dict[str, TypeEngine[Any]] = {
    "q": Text(),
    "category": ARRAY(Text),
    "city": Text(),
    "country": Text(),
    "min_price": BigInteger(),
    "max_price": BigInteger(),
    "guests": Integer(),
    "amenities": ARRAY(Text),
    "host_id": Uuid(),
    "latitude": Double(),
    "longitude": Double(),
    "chord": Double(),
    "west": Double(),
    "south": Double(),
    "east": Double(),
    "north": Double(),
    "corners": Text(),
    "check_in": Date(),
    "check_ins": ARRAY(Date),
    "nights": Integer(),
    "ceiling": BigInteger(),
    "limit": Integer(),
}
_MARK = re.compile(r"[^\w\s]")
"""What may say that a word is unwanted: PostgreSQL reads "-pool" so, and makes a "-" of every other dash before."""
_AS_SENT = ("q", "city", "country", "min_price", "max_price", "guests", "amenities", "host_id")
_FILTERS = (*_AS_SENT, "category", "near", "bbox", "polygon", "check_in", "flexible_days")


def value(name: str) -> BindParameter[Any]:
    """What a statement has in place of this value."""
    return bindparam(name, type_=_TYPES[name])


def cells(name: str) -> list[BindParameter[int]]:
    """In place of the cells that cover `near`, `bbox` or `polygon`: first and last, first and last, ..."""
    return [bindparam(f"{name}_{end}", type_=BigInteger) for end in range(2 * shapes.RANGES)]


def key_after(place: int, key_type: TypeEngine[Any]) -> BindParameter[Any]:
    """In place of a key of the last listing shown."""
    return bindparam(f"after_{place}", type_=key_type)


def correction(number: int) -> tuple[BindParameter[str], BindParameter[str]]:
    """In place of a word that nobody has, and of the words that are meant."""
    return bindparam(f"word_{number}", type_=Text), bindparam(f"instead_{number}", type_=Text)


def take_apart(query: SearchQuery, meaning: Meaning, after: Sequence[Any] | None = None) -> Asked:
    """`after`: the keys of the last listing that the pages before this one have shown."""
    given = {name for name in _FILTERS if getattr(query, name) not in (None, [])}
    if query.flexible_days == 0:
        given.remove("flexible_days")
    values = {name: getattr(query, name) for name in given.intersection(_AS_SENT)} | _places(query)
    if query.category is not None:
        values["category"] = list(meaning.subtree)
    if query.check_in is not None:
        values |= {"check_in": query.check_in, "check_ins": query.check_ins, "nights": query.nights}
    for number, (word, others) in enumerate(sorted(meaning.corrections.items())):
        instead = " | ".join(f"'{each}'" for each in others)
        values |= {f"word_{number}": word, f"instead_{number}": instead}
    values |= {f"after_{place}": key for place, key in enumerate(after or ())}
    sort = query.sort or Sort.NEWEST
    reached = None if after is None else after[0] if sort is Sort.RELEVANCE else 0
    form = Form(frozenset(given), sort, reached, len(meaning.corrections), bool(_MARK.search(query.q or "")))
    return Asked(form, values | {"limit": query.limit + 1})


def _places(query: SearchQuery) -> dict[str, Any]:
    """Each with the cells that cover it."""
    values: dict[str, Any] = {}
    if query.near is not None:
        here = shapes.point(query.near)
        radius = USUAL_RADIUS_KM if query.radius_km is None else query.radius_km
        values |= here._asdict() | {"chord": shapes.chord(radius)} | _cells("near", shapes.around(here, radius))
    if query.bbox is not None:
        box = shapes.box(query.bbox)
        values |= box._asdict() | _cells("bbox", box)
    if query.polygon is not None:
        corners = shapes.polygon(query.polygon)
        written = ",".join(f"({each.longitude!r},{each.latitude!r})" for each in corners)
        values |= {"corners": f"({written})"} | _cells("polygon", shapes.bounds(corners))
    return values


def _cells(name: str, box: shapes.Box) -> dict[str, int]:
    return {each.key: end for each, end in zip(cells(name), chain(*shapes.covering(box)), strict=True)}
