"""Listings on their way into a suite: what is repeated, what is waited for, and what ends the import."""

import asyncio
import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx
import pytest
from nexus_local import importing
from nexus_local.import_command import UNUSABLE, Target, import_file
from nexus_local.importing import AT_ONCE, ROWS, Stopped, sign_in_by
from nexus_local.listings_file import Row
from nexus_local.report import Report


@dataclass
class Importer:
    """The address of imports: takes every row, unless it is told to say something else first."""

    accepted: str = "one"
    """The access token that is good."""
    first_says: list[tuple[int, dict[str, str]]] = field(default_factory=list)
    """Status and headers of the first answers; status 0 hangs up."""
    takes: float = 0.0
    """Seconds for each request."""
    url: str = ""
    taken: list[str] = field(default_factory=list)
    """Titles, in the order in which they were kept."""
    asked_at: list[float] = field(default_factory=list)

    def answer(self, token: str | None, body: bytes) -> tuple[int, dict[str, str], dict[str, Any]]:
        self.asked_at.append(time.monotonic())
        if token != f"Bearer {self.accepted}":
            return 401, {}, _problem(401, "not_authenticated")
        if self.first_says:
            status, headers = self.first_says.pop(0)
            return status, headers, _problem(status, "told_so")
        time.sleep(self.takes)
        titles = [row["title"] for row in json.loads(body)["rows"]]
        self.taken += titles
        rows = [{"outcome": "created", "listing_id": title, "errors": []} for title in titles]
        counts = {"created": len(rows), "updated": 0, "unchanged": 0, "refused": 0}
        return 200, {}, {**counts, "rows": rows}


def _problem(status: int, code: str) -> dict[str, Any]:
    return {"status": status, "code": code, "detail": "No."}


@pytest.fixture
def importer() -> Iterator[Importer]:
    with _running(Importer()) as running:
        yield running


@contextmanager
def _running(importer: Importer) -> Iterator[Importer]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            status, headers, content = importer.answer(self.headers["Authorization"], body)
            if status == 0:
                self.close_connection = True
                return
            encoded = json.dumps(content).encode()
            self.send_response(status)
            for name, value in {**headers, "Content-Length": str(len(encoded))}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(encoded)

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        importer.url = f"http://127.0.0.1:{server.server_port}"
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield importer
        server.shutdown()
        thread.join()


class Login:
    """Hands out these access tokens, one after the other."""

    def __init__(self, *tokens: str) -> None:
        self.tokens = list(tokens)

    async def __call__(self, _: httpx.AsyncClient) -> str:
        await asyncio.sleep(0.05)
        return self.tokens.pop(0)


def rows(count: int) -> list[Row]:
    return [Row(number, {"external_id": str(number), "title": f"Place {number}"}) for number in range(1, count + 1)]


async def kept(importer: Importer, sent: Iterator[Row] | list[Row], sign_in: importing.SignIn) -> list[int]:
    """The numbers of the rows that became listings, in the order in which the import said so."""
    async with httpx.AsyncClient(base_url=importer.url) as client:
        return [number async for result in importing.send(sent, client, sign_in) for number in result.kept]


async def test_a_token_that_runs_out_on_the_way_is_renewed_once_for_all(importer: Importer) -> None:
    importer.accepted = "two"
    login = Login("one", "two", "three")

    numbers = await kept(importer, rows(3 * ROWS), login)

    assert numbers == list(range(1, 3 * ROWS + 1))
    assert login.tokens == ["three"]


async def test_a_token_that_was_passed_and_is_refused_ends_the_import(importer: Importer) -> None:
    with pytest.raises(Stopped, match="run again with a new one"):
        await kept(importer, rows(1), sign_in_by("old"))


async def test_a_suite_that_asks_for_a_pause_gets_it(importer: Importer) -> None:
    importer.first_says = [(429, {"Retry-After": "1"}), (503, {})]

    assert await kept(importer, rows(1), Login("one")) == [1]

    first, second, _ = importer.asked_at
    assert second - first >= 1


async def test_a_request_that_is_cut_off_is_sent_again(importer: Importer) -> None:
    importer.first_says = [(0, {}), (0, {})]

    assert await kept(importer, rows(2), Login("one")) == [1, 2]


async def test_a_refusal_of_the_whole_import_ends_it_at_once(importer: Importer) -> None:
    importer.first_says = [(403, {})]

    with pytest.raises(Stopped, match="403 told_so"):
        await kept(importer, rows(1), Login("one"))

    assert len(importer.asked_at) == 1


async def test_of_two_rows_of_one_listing_the_later_has_the_last_word(importer: Importer) -> None:
    importer.takes = 0.1
    sent = rows(ROWS)
    again = Row(ROWS + 1, {"external_id": "1", "title": "The last word"})

    await kept(importer, [*sent, again], Login("one"))

    assert importer.taken == [*(row.content["title"] for row in sent), "The last word"]


async def test_a_file_is_read_no_faster_than_it_is_taken(importer: Importer) -> None:
    ahead = []
    total = 20 * ROWS

    def counted() -> Iterator[Row]:
        for row in rows(total):
            ahead.append(row.number - len(importer.taken))
            yield row

    assert len(await kept(importer, counted(), Login("one"))) == total
    assert max(ahead) <= (AT_ONCE + 1) * ROWS + 1


def test_a_file_of_no_use_leaves_no_report_behind(tmp_path: Path) -> None:
    file = tmp_path / "mine.csv"
    file.write_text("name,prise\nHouse,4\n")
    nowhere = Target("http://127.0.0.1:9", httpx.create_ssl_context(), sign_in_by("any"))

    assert import_file(file, nowhere, Report(), dry_run=False) == UNUSABLE
    assert list(tmp_path.iterdir()) == [file]
