"""Searches that differ in values alone are asked by one statement, built once; and no value is in its text."""

from typing import Any

import pytest
from nexus_listings.asked import Meaning, take_apart
from nexus_listings.search import queries
from nexus_listings.search.schemas import SearchQuery

from tests.listings.given import soon


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ({"city": "Gondar", "limit": 20}, {"city": "Axum", "limit": 7}),
        ({"min_price": 0, "max_price": 9}, {"min_price": 1, "max_price": 99}),
        ({"guests": 1, "amenities": ["wifi"]}, {"guests": 9, "amenities": ["pool", "gym"]}),
        ({"near": "0,0"}, {"near": "9.01,38.76", "radius_km": 300}),
        ({"bbox": "-1,-1,1,1"}, {"bbox": "179,-5,-179,5"}),
        ({"polygon": "0,0;0,1;1,1"}, {"polygon": "1,1;1,2;2,2;2,1"}),
        (
            {"check_in": soon(1), "check_out": soon(2), "flexible_days": 1},
            {"check_in": soon(9), "check_out": soon(16), "flexible_days": 7},
        ),
        ({"q": "lake"}, {"q": "house garden"}),
        ({"include": ["total"]}, {"include": ["facets"]}),
        ({"flexible_days": 0, "check_in": soon(1), "check_out": soon(2)}, {"check_in": soon(3), "check_out": soon(5)}),
    ],
    ids=" ".join,
)
def test_other_values_are_asked_for_by_the_same_statement(one: dict[str, Any], other: dict[str, Any]) -> None:
    first, second = (take_apart(SearchQuery.model_validate(sent), Meaning()) for sent in (one, other))

    assert first.form == second.form
    assert queries.page(first.form) is queries.page(second.form)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ({}, {"city": "Gondar"}),
        ({"min_price": 1}, {"max_price": 1}),
        ({}, {"sort": "price"}),
        ({"q": "lake"}, {"q": "lake -house"}),
        ({"q": "lake"}, {"q": "lake \N{EN DASH}house"}),
        (
            {"check_in": soon(1), "check_out": soon(2)},
            {"check_in": soon(1), "check_out": soon(2), "flexible_days": 1},
        ),
    ],
    ids=str,
)
def test_other_filters_are_asked_for_by_another_statement(one: dict[str, Any], other: dict[str, Any]) -> None:
    first, second = (take_apart(SearchQuery.model_validate(sent), Meaning()) for sent in (one, other))

    assert str(queries.page(first.form)) != str(queries.page(second.form))


def test_mistyped_words_and_the_place_in_a_list_are_values_too() -> None:
    query = SearchQuery.model_validate({"q": "hosue", "sort": "price"})
    first = take_apart(query, Meaning(corrections={"hosue": ["house"]}), [100, "a"])
    second = take_apart(query, Meaning(corrections={"lkae": ["lake", "lace"]}), [200, "b"])

    assert first.form == second.form
    assert first.values != second.values
