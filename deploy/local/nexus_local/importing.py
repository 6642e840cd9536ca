"""Brings listings into a running suite: cuts rows into requests, sends them safely, and says what became of them.

`nexus import listings` gives it the rows of a file, the seed those that it makes up.
"""

import asyncio
import json
from collections import Counter, deque
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

import httpx
import orjson
import stamina

from nexus_local.listings_file import LONGEST_ROW, Row

ROWS, BYTES = 500, LONGEST_ROW
"""Of one request: so many rows are one transaction, and the gateway takes bodies up to 1 MiB."""
AT_ONCE = 3
"""Requests on their way: while the database writes one, the service reads the next."""
TRIES = 10
_TRY_AGAIN = {429, 502, 503, 504}

SignIn = Callable[[httpx.AsyncClient], Awaitable[str]]


class Stopped(Exception):
    """The suite refuses the whole import; says why."""


class _NotNow(Exception):
    """The suite could not serve this request. Sending it again is safe, whatever it did."""


@dataclass(frozen=True)
class Refused:
    """A row that was not kept."""

    row: Row
    errors: list[dict[str, str]]

    def line(self) -> str:
        """As it stands in the report file."""
        return json.dumps({"row": self.row.number, "errors": self.errors, "listing": self.row.content}) + "\n"


@dataclass(frozen=True)
class Result:
    """What became of some rows."""

    counts: Counter[str]
    refused: list[Refused] = field(default_factory=list)
    kept: dict[int, str] = field(default_factory=dict)
    """Ids of listings, by the numbers of their rows."""


@dataclass
class _Chunk:
    host_id: str | None
    rows: list[Row] = field(default_factory=list)
    encoded: list[bytes] = field(default_factory=list)
    size: int = 0

    def add(self, row: Row, encoded: bytes) -> None:
        self.rows.append(row)
        self.encoded.append(encoded)
        self.size += len(encoded) + 1

    @property
    def names(self) -> set[Any]:
        return {(self.host_id, str(row.content.get("external_id"))) for row in self.rows}

    @property
    def body(self) -> bytes:
        return b'{"rows":[' + b",".join(self.encoded) + b"]}"


def sign_in_with(email: str, password: str) -> SignIn:
    """By a password: as often as an access token runs out."""

    async def sign_in(client: httpx.AsyncClient) -> str:
        answer = await client.post("/auth/login", json={"email": email, "password": password})
        if answer.status_code != httpx.codes.OK:
            raise Stopped(_words(answer))
        if "access_token" not in answer.json():
            raise Stopped(f"{email} signs in with a second factor: pass an access token")
        return str(answer.json()["access_token"])

    return sign_in


def sign_in_by(token: str) -> SignIn:
    """By an access token, for as long as it lasts."""

    async def sign_in(client: httpx.AsyncClient) -> str:
        if client.headers.get("Authorization") == f"Bearer {token}":
            raise Stopped("the access token is refused; run again with a new one: what is there is left as it is")
        return token

    return sign_in


async def send(
    rows: Iterable[Row], client: httpx.AsyncClient, sign_in: SignIn, *, dry_run: bool = False
) -> AsyncIterator[Result]:
    """Send all rows; yields what became of each part, in the order of the rows, but at once what cannot be sent.

    A row that is sent later has the last word: while the same listing is on its way, another row of it waits. Raises
    `Stopped`.
    """
    sender = _Sender(client, sign_in, dry_run)
    on_the_way: deque[tuple[_Chunk, asyncio.Task[Result]]] = deque()
    try:
        for part in _cut(rows):
            if isinstance(part, Refused):
                yield Result(Counter(refused=1), [part])
                continue
            while on_the_way and (
                len(on_the_way) >= AT_ONCE or any(part.names & chunk.names for chunk, _ in on_the_way)
            ):
                yield await on_the_way.popleft()[1]
            on_the_way.append((part, asyncio.create_task(sender.send(part))))
        while on_the_way:
            yield await on_the_way.popleft()[1]
    finally:
        for _, task in on_the_way:
            task.cancel()
        await asyncio.gather(*(task for _, task in on_the_way), return_exceptions=True)


def _cut(rows: Iterable[Row]) -> Iterator[_Chunk | Refused]:
    chunk = _Chunk(None)
    for row in rows:
        if row.unreadable is not None:
            yield _refused(row, "unreadable", row.unreadable)
            continue
        try:
            encoded = orjson.dumps(row.content)
        except orjson.JSONEncodeError:  # CSV carries on what is not UTF-8
            yield _refused(row, "unreadable", "is not UTF-8")
            continue
        if len(encoded) > BYTES:
            yield _refused(row, "too_large", f"is larger than {BYTES:,} bytes")
            continue
        full = len(chunk.rows) == ROWS or chunk.size + len(encoded) > BYTES
        if chunk.rows and (full or row.host_id != chunk.host_id):
            yield chunk
            chunk = _Chunk(row.host_id)
        chunk.host_id = row.host_id
        chunk.add(row, encoded)
    if chunk.rows:
        yield chunk


def _refused(row: Row, code: str, message: str) -> Refused:
    return Refused(row, [{"pointer": "", "code": code, "message": message}])


class _Sender:
    """Sends one chunk until it is answered."""

    def __init__(self, client: httpx.AsyncClient, sign_in: SignIn, dry_run: bool) -> None:
        self._client, self._sign_in, self._dry_run = client, sign_in, dry_run
        self._signing_in = asyncio.Lock()

    async def send(self, chunk: _Chunk) -> Result:
        query = {"host_id": chunk.host_id} if chunk.host_id is not None else {}
        query |= {"dry_run": "true"} if self._dry_run else {}
        retries = stamina.retry_context(
            on=(httpx.TransportError, _NotNow), attempts=TRIES, timeout=None, wait_initial=0.2, wait_max=15.0
        )
        try:
            async for attempt in retries:
                with attempt:
                    answer = await self._post(chunk.body, query)
        except (httpx.TransportError, _NotNow) as exc:
            raise Stopped(f"the suite does not answer ({exc!r}); run again to go on") from exc
        if answer.status_code != httpx.codes.OK:
            raise Stopped(_words(answer))
        return _result(chunk, answer.json())

    async def _post(self, body: bytes, query: dict[str, str]) -> httpx.Response:
        token = self._client.headers.get("Authorization") or await self._renew(None)
        answer = await self._attempt(body, query, token)
        if answer.status_code == httpx.codes.UNAUTHORIZED:
            answer = await self._attempt(body, query, await self._renew(token))
        if answer.status_code in _TRY_AGAIN:
            await asyncio.sleep(float(answer.headers.get("Retry-After", "0")))
            raise _NotNow(_words(answer))
        return answer

    async def _attempt(self, body: bytes, query: dict[str, str], token: str) -> httpx.Response:
        headers = {"Authorization": token, "Content-Type": "application/json"}
        return await self._client.post("/listings/import", content=body, params=query, headers=headers)

    async def _renew(self, refused: str | None) -> str:
        async with self._signing_in:  # the others wait for the first one's token
            if self._client.headers.get("Authorization") == refused:
                self._client.headers["Authorization"] = f"Bearer {await self._sign_in(self._client)}"
        return self._client.headers["Authorization"]


def _result(chunk: _Chunk, report: dict[str, Any]) -> Result:
    counts = Counter({name: report[name] for name in ("created", "updated", "unchanged", "refused")})
    refused, kept = [], {}
    for row, each in zip(chunk.rows, report["rows"], strict=True):
        if each["outcome"] == "refused":
            refused.append(Refused(row, each["errors"]))
        else:
            kept[row.number] = each["listing_id"]
    return Result(counts, refused, kept)


def _words(answer: httpx.Response) -> str:
    try:
        problem = answer.json()
        return f"{problem['status']} {problem['code']}: {problem['detail']}"
    except (ValueError, KeyError, TypeError):
        return f"{answer.request.url} answers {answer.status_code}"
