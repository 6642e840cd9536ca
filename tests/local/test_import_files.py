"""A file of listings is read row by row: what a cell means, what is wrong with a header, and which row is no row."""

import io
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from nexus_listings.imports.schemas import ImportRow
from nexus_listings.listings.schemas import EXAMPLE
from nexus_local.listings_file import LONGEST_ROW, Row, Unusable, columns, read


def rows(name: str, content: str | bytes) -> list[Row]:
    return list(read(Path(name), io.BytesIO(content.encode() if isinstance(content, str) else content)))


def contents(name: str, content: str | bytes) -> list[dict[str, Any]]:
    return [row.content for row in rows(name, content)]


def test_a_cell_becomes_what_its_field_is() -> None:
    text = (
        "external_id,title,price,cleaning_fee,currency,capacity,latitude,amenities,house_rules,instant_book,rates\n"
        '7,007,450000,30000,ETB,4,11.5,wifi | pool,No shoes.|Quiet.,TRUE,"{""rules"": []}"\n'
    )

    (content,) = contents("a.csv", text)

    assert content == {
        "external_id": "7",
        "title": "007",
        "price": {"amount": 450000, "currency": "ETB"},
        "cleaning_fee": {"amount": 30000, "currency": "ETB"},
        "capacity": 4,
        "latitude": 11.5,
        "amenities": ["wifi", "pool"],
        "house_rules": ["No shoes.", "Quiet."],
        "instant_book": True,
        "rates": {"rules": []},
    }


@pytest.mark.parametrize("name", ["a.csv", "a.ndjson"])
def test_a_file_that_was_read_to_its_end_is_still_open_for_its_caller(name: str) -> None:
    source = io.BytesIO(b"external_id,title\n")

    assert [row for row in read(Path(name), source) if not row.unreadable] == []

    assert not source.closed


def test_everything_that_a_listing_has_can_stand_in_a_csv() -> None:
    sent = EXAMPLE | {"external_id": "lake-house-1", "publish": False}

    (row,) = rows("a.csv", as_csv([sent]))

    assert ImportRow.model_validate(row.content) == ImportRow.model_validate(sent)
    assert columns().keys() == ImportRow.model_fields.keys() | {"currency", "host_id"}


def test_an_empty_cell_says_nothing_and_an_empty_row_is_none() -> None:
    assert contents("a.csv", "external_id,title,city,price\none,House,,\n,,,\n\ntwo,Hut, ,\n") == [
        {"external_id": "one", "title": "House"},
        {"external_id": "two", "title": "Hut"},
    ]


def test_what_is_no_number_goes_on_as_it_is_so_that_the_service_names_the_field() -> None:
    text = (
        "external_id,title,capacity,latitude,longitude,price,instant_book,rates\n"
        "one,House,four,north,nan,4.50,perhaps,{\n"
    )

    (content,) = contents("a.csv", text)

    assert content["capacity"] == "four"
    assert content["latitude"] == "north"
    assert content["longitude"] == "nan"
    assert content["price"] == {"amount": "4.50", "currency": "ETB"}
    assert content["instant_book"] == "perhaps"
    assert content["rates"] == "{"


def test_spreadsheets_marks_quotes_and_line_breaks_are_understood() -> None:
    text = '\ufeffexternal_id,title,description\r\none,"A ""quiet"" house","Two lines,\r\nand a comma"\r\n'

    assert contents("A.CSV", text) == [
        {"external_id": "one", "title": 'A "quiet" house', "description": "Two lines,\r\nand a comma"}
    ]


def test_rows_are_counted_as_a_spreadsheet_and_an_editor_do() -> None:
    csv = 'external_id,title\none,"A\nB"\n,\ntwo,C\n'
    ndjson = '{"external_id": "one"}\n\n{"external_id": "two"}\n'

    assert [row.number for row in rows("a.csv", csv)] == [2, 4]
    assert [row.number for row in rows("a.ndjson", ndjson)] == [1, 3]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("external_id,title,colour,prise\none,House,blue,4\n", "unknown columns: colour, prise"),
        ("external_id;title\none;House\n", "unknown columns: external_id;title"),
        ("title,city\nHouse,Gondar\n", "missing columns: external_id"),
        ("external_id,title,title\none,A,B\n", "columns that stand there twice: title"),
        ("", "missing columns: external_id, title"),
        ('external_id,title\none,"never closed\n', "row 2"),
    ],
)
def test_a_file_that_is_no_table_of_listings_says_why(text: str, said: str) -> None:
    with pytest.raises(Unusable, match=said):
        rows("a.csv", text)


def test_a_name_that_tells_no_format_is_refused() -> None:
    with pytest.raises(Unusable, match=r"\.csv, \.ndjson"):
        rows("listings.xlsx", b"PK")


def test_a_row_that_cannot_be_read_is_named_and_the_others_are_read() -> None:
    csv = rows("a.csv", "external_id,title\none,A,too,many\ntwo,B\nthree\n")
    ndjson = rows("a.ndjson", b'{"external_id": 1\n[]\n\xff\n{"external_id": "two"}')

    assert [(row.number, row.unreadable is None) for row in csv] == [(2, False), (3, True), (4, True)]
    assert [(row.number, row.unreadable is None) for row in ndjson] == [(1, False), (2, False), (3, False), (4, True)]


def test_a_line_without_an_end_does_not_fill_the_memory() -> None:
    endless = io.BytesIO(b'{"title": "' + b"a" * (3 * LONGEST_ROW) + b'"}\n{"external_id": "two"}\n')

    read_rows = list(read(Path("a.ndjson"), endless))

    assert [(row.number, row.unreadable is None) for row in read_rows] == [(1, False), (2, True)]
    assert "longer" in (read_rows[0].unreadable or "")


def test_a_table_without_line_breaks_does_not_fill_the_memory() -> None:
    with pytest.raises(Unusable, match=r"row 2: .* longer"):
        rows("a.csv", "external_id,title\n" + "one," * LONGEST_ROW)


def test_an_owner_is_no_field_of_a_listing() -> None:
    (csv,) = rows("a.csv", "external_id,title,host_id\none,House,0196\n")
    (ndjson,) = rows("a.ndjson", '{"external_id": "one", "host_id": "0196"}')

    assert (csv.host_id, "host_id" in csv.content) == ("0196", False)
    assert (ndjson.host_id, ndjson.content) == ("0196", {"external_id": "one"})


def as_csv(listings: list[dict[str, Any]]) -> str:
    """Written as a host would."""
    return "\n".join([",".join(listings[0]), *(",".join(map(quoted, cells(each))) for each in listings)])


def cells(listing: dict[str, Any]) -> Iterator[str]:
    for value in listing.values():
        match value:
            case {"amount": amount}:
                yield str(amount)
            case [str(), *_]:
                yield "|".join(value)
            case str():
                yield value
            case _:
                yield json.dumps(value)


def quoted(cell: str) -> str:
    return '"' + cell.replace('"', '""') + '"'
