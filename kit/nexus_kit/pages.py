"""Keyset pages: a list is read on from the last row seen, so it costs the same on every page and skips nothing.

    class BookingQuery(PageQuery):
        status: BookingStatus | None = None

    rows, next_cursor = await paginate(session, statement, query, cursors, owner=guest.user_id)
    return PageOf[BookingOut](items=[BookingOut.model_validate(row[0]) for row in rows], next_cursor=next_cursor)

The statement's ORDER BY must end in a unique column, and none of its columns may be null.
"""

import base64
import binascii
import hashlib
import hmac
from collections.abc import Collection, Sequence
from typing import Annotated, Any, Generic, TypeVar, TypeVarTuple, cast

import orjson
from fastapi import Depends
from pydantic import BaseModel, ConfigDict, Field
from sqlakeyset import BadBookmark, InvalidPage, unserialize_bookmark
from sqlakeyset.asyncio import select_page
from sqlalchemy import Row, Select
from sqlalchemy.ext.asyncio import AsyncSession

from nexus_kit.errors import BadRequest
from nexus_kit.runtime import RuntimeDep

ItemT = TypeVar("ItemT")
Columns = TypeVarTuple("Columns")

_MAC_BYTES = 16
_BINDING_BYTES = 8


class InvalidCursor(BadRequest):
    """This cursor was not made here."""


class CursorMismatch(BadRequest):
    """This cursor belongs to a list with other filters or another order."""


class PageQuery(BaseModel):
    """The query parameters of every list; a list with filters adds them in a subclass."""

    model_config = ConfigDict(extra="forbid")

    limit: int = Field(default=20, ge=1, le=100, description="Items per page.")
    cursor: str | None = Field(default=None, max_length=2000, description="`next_cursor` of the page before.")


class PageOf(BaseModel, Generic[ItemT]):
    """One page of a list."""

    items: list[ItemT]
    next_cursor: str | None = Field(description="Ask for the next page with it; null on the last one.")


class Cursors:
    """Makes bookmarks into cursors that nobody can change, or use for another list, without our noticing."""

    def __init__(self, secret: str) -> None:
        # A key of its own: what signs service tokens must not sign anything that a client can influence.
        self._key = hmac.digest(secret.encode(), b"nexus page cursors", "sha256")

    def seal(self, bookmark: str, binding: bytes) -> str:
        """base64url of MAC ‖ binding ‖ bookmark."""
        sealed = binding + bookmark.encode()
        return base64.urlsafe_b64encode(self._mac(sealed) + sealed).rstrip(b"=").decode()

    def open(self, cursor: str, binding: bytes) -> str:
        """The bookmark. Raises `InvalidCursor`, or `CursorMismatch` when it was sealed with another binding."""
        try:
            raw = base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True)
        except (binascii.Error, ValueError) as exc:
            raise InvalidCursor from exc
        mac, sealed = raw[:_MAC_BYTES], raw[_MAC_BYTES:]
        if not hmac.compare_digest(mac, self._mac(sealed)):
            raise InvalidCursor
        if sealed[:_BINDING_BYTES] != binding:
            raise CursorMismatch
        return sealed[_BINDING_BYTES:].decode()

    def _mac(self, data: bytes) -> bytes:
        return hmac.digest(self._key, data, "sha256")[:_MAC_BYTES]


async def cursors(runtime: RuntimeDep) -> Cursors:
    """The dependency behind `CursorsDep`."""
    return Cursors(runtime.settings.internal_secret.get_secret_value())


CursorsDep = Annotated[Cursors, Depends(cursors)]


def binding(query: PageQuery, *, apart_from: Collection[str] = (), **bound_to: Any) -> bytes:
    """What tells a list from every other: the query's class and filters, and `bound_to`, whatever else decides."""
    filters = query.model_dump(mode="json", exclude={"limit", "cursor", *apart_from})
    identity = orjson.dumps([type(query).__name__, filters, bound_to], default=str, option=orjson.OPT_SORT_KEYS)
    return hashlib.sha256(identity).digest()[:_BINDING_BYTES]


async def paginate(
    session: AsyncSession, statement: Select[*Columns], query: PageQuery, cursors: Cursors, **bound_to: Any
) -> tuple[Sequence[Row[*Columns]], str | None]:
    """One page of `statement`'s rows, and the cursor of the next, None on the last; bound to the list it belongs to."""
    bound = binding(query, **bound_to)
    after = None
    try:
        if query.cursor is not None:
            after = unserialize_bookmark(cursors.open(query.cursor, bound)).place
        # Any: sqlakeyset's types know SQLAlchemy 2.0, where a statement had one type and not one per column.
        page: Any = await select_page(session, cast("Any", statement), per_page=query.limit, after=after)
    except (BadBookmark, InvalidPage) as exc:  # sealed by a version of this code with another ORDER BY
        raise InvalidCursor from exc
    next_cursor = cursors.seal(page.paging.bookmark_next, bound) if page.paging.has_next else None
    return page, next_cursor
