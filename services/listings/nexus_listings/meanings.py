"""What the words and the category of a search mean: `search/service.py` asks, `search/queries.py` uses the answer.

How typing errors are forgiven and matches ranked is told in docs/decisions/0011-search-in-postgresql.md.
"""

from typing import Any

from sqlalchemy import ColumnElement, and_, case, cast, func, literal_column, not_, text
from sqlalchemy.dialects.postgresql import TSQUERY

from nexus_listings.asked import Form, correction, value
from nexus_listings.listings.models import TEXT, TITLE, Listing

MEANING = text(
    """
    SELECT
        ARRAY(
            WITH RECURSIVE tree AS (
                SELECT slug FROM categories WHERE slug = :category
                UNION SELECT below.slug FROM categories AS below JOIN tree ON below.parent = tree.slug
            )
            SELECT slug FROM tree
        ) AS subtree,
        (
            SELECT coalesce(jsonb_object_agg(typed.word, meant.words), '{}')
            FROM unnest(tsvector_to_array(to_tsvector('simple', fold(:q)))) AS typed (word)
            CROSS JOIN LATERAL (
                SELECT coalesce((tsvector_to_array(to_tsvector('english', typed.word)))[1], typed.word) AS word
            ) AS stem
            CROSS JOIN LATERAL (
                SELECT jsonb_agg(word) AS words FROM (
                    SELECT DISTINCT word, abs(length(word) - length(typed.word)) AS longer FROM lexemes
                    WHERE misspellings && (misspellings(typed.word) || misspellings(stem.word))
                    ORDER BY longer, word LIMIT 4
                ) AS nearest
            ) AS meant
            WHERE length(typed.word) BETWEEN 4 AND 24 AND typed.word ~ '^[[:alpha:]]+$' AND meant.words IS NOT NULL
                AND NOT EXISTS (SELECT FROM lexemes WHERE lexemes.word IN (typed.word, stem.word))
        ) AS corrections
    """
)


def holds(words: Any, form: Form) -> ColumnElement[bool]:
    """Whether these words are what the query asks for."""
    written, stemmed = _meant("simple", form), _meant("english", form)
    # Twice the same would be thought to find twice as many.
    either: ColumnElement[Any] = case((written == stemmed, written), else_=written.op("||")(stemmed))
    found: ColumnElement[bool] = words.bool_op("@@")(either)
    return found


def _meant(language: str, form: Form) -> ColumnElement[Any]:
    """Every word as it is written (`simple`) or by its stem (`english`). No input is a syntax error."""
    config: ColumnElement[Any] = literal_column(f"'{language}'::regconfig")
    meant = func.websearch_to_tsquery(config, func.fold(value("q")), type_=TSQUERY)
    for word, instead in map(correction, range(form.corrections)):
        typed = func.plainto_tsquery(config, word, type_=TSQUERY)
        meant = func.ts_rewrite(meant, typed, cast(instead, TSQUERY), type_=TSQUERY)
    return meant


def is_ranked(rank: int, form: Form) -> ColumnElement[bool]:
    """3: the title has all words. 2: title and description have. 1: the city's help is needed."""
    in_title, in_text, anywhere = (holds(words, form) for words in (TITLE, TEXT, Listing.words))
    # Where a word is unwanted, what a part of the listing says is not enough.
    unwanted = [anywhere] if form.has_unwanted else []
    return {
        3: and_(in_title, *unwanted),
        2: and_(in_text, not_(in_title), *unwanted),
        1: and_(anywhere, not_(in_text), not_(in_title)),
    }[rank]
