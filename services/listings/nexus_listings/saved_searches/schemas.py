"""The wire shapes of a saved search. Its filters are the parameters of `GET /listings`, read by the same model."""

from collections.abc import Iterator
from functools import cache
from typing import Annotated, Any
from urllib.parse import urlencode
from uuid import UUID

from nexus_kit.pages import PageQuery
from nexus_kit.schemas import Body, Resource, UtcDateTime
from pydantic import ConfigDict, Field, ValidationInfo, computed_field, field_validator

from nexus_listings.saved_searches.models import Notify
from nexus_listings.search.schemas import SearchQuery

_JSON_TYPES: dict[type, tuple[str, ...]] = {
    type(None): ("null",),
    bool: ("boolean",),
    int: ("integer", "number"),
    float: ("number",),
    str: ("string",),
    list: ("array",),
    dict: ("object",),
}


_NO_FILTERS = frozenset(PageQuery.model_fields) | {"include", "explain_unavailable"}


def _without_these(schema: dict[str, Any]) -> None:
    for name in _NO_FILTERS:
        del schema["properties"][name]


class Filters(SearchQuery):
    """What `GET /listings` takes, but for what shapes its answer: page, `include` and `explain_unavailable`."""

    model_config = ConfigDict(json_schema_extra=_without_these)

    @field_validator("*", mode="before")
    @classmethod
    def as_documented(cls, value: Any, info: ValidationInfo) -> Any:
        """In an address everything is a text; in a body a number is a number."""
        if info.field_name in _NO_FILTERS:
            raise ValueError("is about an answer, and no filter")
        documented = _documented()[str(info.field_name)]
        if documented.isdisjoint(_JSON_TYPES.get(type(value), ())):
            raise ValueError(f"must be: {' or '.join(sorted(documented - {'null'}))}")
        return value


@cache
def _documented() -> dict[str, frozenset[str]]:
    """The JSON types of each filter."""
    schema = SearchQuery.model_json_schema()
    return {name: frozenset(_types(shape, schema)) for name, shape in schema["properties"].items()}


def _types(shape: dict[str, Any], schema: dict[str, Any]) -> Iterator[str]:
    if "$ref" in shape:
        shape = schema["$defs"][shape["$ref"].rpartition("/")[2]]
    if "type" in shape:
        yield shape["type"]
    for each in shape.get("anyOf", ()):
        yield from _types(each, schema)


Name = Annotated[
    str, Field(min_length=1, max_length=100, description="For its owner's eyes.", examples=["By the lake, for four"])
]
WantedFilters = Annotated[
    Filters,
    Field(
        description="As in `GET /listings`. Once its dates are past, the search finds nothing more and rests.",
        examples=[{"q": "lake", "guests": 4, "max_price": 500000}],
    ),
]
HowOften = Annotated[Notify, Field(description="How often new matches are mailed, at most.", examples=["daily"])]


class SavedSearchChanges(Body):
    """What its owner changes. A field left out stays as it is; filters are replaced as a whole."""

    name: Name | None = None
    filters: WantedFilters | None = None
    notify: HowOften | None = None

    @field_validator("name", "filters", "notify", mode="before")
    @classmethod
    def never_empty(cls, value: Any) -> Any:
        """Each has a value from the start."""
        if value is None:
            raise ValueError("cannot be null")
        return value


class NewSavedSearch(Body):
    """What to look for."""

    name: Name
    filters: WantedFilters
    notify: HowOften = "daily"


class SavedSearchOut(Resource):
    """What the caller looks for."""

    id: UUID
    version: int = Field(exclude=True)
    """Clients know it as the ETag."""
    name: Name
    filters: dict[str, Any] = Field(description="As in `GET /listings`.", examples=[{"q": "lake", "guests": 4}])
    notify: HowOften
    created_at: UtcDateTime

    @computed_field(  # type: ignore[prop-decorator]
        description="Where all that matches is found now.", examples=["/api/v1/listings?q=lake&guests=4"]
    )
    @property
    def results(self) -> str:
        """The filters as an address."""
        written = {
            name: str(value).lower() if isinstance(value, bool) else value
            for name, value in sorted(self.filters.items())
        }
        return f"/api/v1/listings?{urlencode(written, doseq=True)}"


class UnsubscribeToken(Resource):
    """What a mail about a saved search carries, so that one click stops the mails."""

    token: str
