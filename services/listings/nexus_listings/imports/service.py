"""Takes over listings that a host keeps elsewhere: makes what is new, changes what is not, says why it refuses a row.

`routes.py` calls it. Good rows go in although others are refused; who knows a listing already is told of its change.
"""

import asyncio
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from nexus_contracts.listings import ListingStatus
from nexus_kit.db import constraint_name
from nexus_kit.errors import Conflict, FieldError, Problem, Unprocessable
from nexus_kit.problems import field_error
from pydantic import ValidationError
from pydantic_core import to_json
from sqlalchemy import (
    ARRAY,
    CheckConstraint,
    Text,
    any_,
    bindparam,
    case,
    cast,
    column,
    func,
    literal,
    literal_column,
    select,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB, insert
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession

from nexus_listings.categories.models import Category
from nexus_listings.imports.schemas import ImportReport, ImportRow, Outcome, RowReport
from nexus_listings.listings import service
from nexus_listings.listings.models import Listing
from nexus_listings.publicly import forget_pages
from nexus_listings.terms import CURRENCY

_BREATH = 50
"""So many rows are worked on at a time: the others whom this process serves do not wait for a thousand."""

_PARTS = 8
"""Into so many parts rows are cut to find one that is refused: with two, each of many bad rows is tried twice."""

_TABLE = Listing.metadata.tables["listings"]
_COLUMNS = [each for each in _TABLE.columns if not each.primary_key and each.computed is None]
_NAMES = frozenset(each.key for each in _COLUMNS)
_AMOUNTS = {name: f"{name}_amount" for name in ImportRow.model_fields if f"{name}_amount" in _NAMES}
"""Money, of which the table has the amount."""
# A default that is a str is a value; anything else is an expression.
_INITIAL = select(
    *(
        cast(literal(value) if isinstance(value, str) else literal_column(str(value)), each.type).label(each.key)
        for each in _COLUMNS
        if (value := getattr(each.server_default, "arg", None)) is not None
    )
)
"""What the table fills in. Asked for, because to `_INSERT` what a row leaves out is null."""

# One document holds all rows: that takes half the time of a parameter for each value.
_SENT = func.jsonb_populate_recordset(
    literal_column("NULL::listings"), cast(bindparam("rows", type_=Text), JSONB)
).table_valued(*(column(each.key, each.type) for each in _COLUMNS))
# By the table's own constraints: a statement that meets one refuses all rows, and names one.
_CHECKS = {
    str(each.name): str(each.sqltext)
    for each in sorted(_TABLE.constraints, key=lambda each: str(each.name))
    if isinstance(each, CheckConstraint) and each.name in service.CONSTRAINTS
}
_CHECKED = _NAMES & set(re.findall(r"\w+", " ".join(_CHECKS.values())))
_BROKEN = case(*((text(f"NOT ({check})"), literal(name)) for name, check in _CHECKS.items()))
_WHAT_IS_BROKEN = select(_SENT.c.external_id, _BROKEN).where(_BROKEN.is_not(None))
_INSERT = (
    insert(_TABLE)
    .from_select(
        [each.key for each in _COLUMNS], select(*(_SENT.c[each.key] for each in _COLUMNS)).where(_BROKEN.is_(None))
    )
    .on_conflict_do_nothing(index_elements=[_TABLE.c.host_id, _TABLE.c.external_id])
    .returning(_TABLE.c.external_id, _TABLE.c.id)
)
_ROOM = text("SET LOCAL work_mem = '32MB'")
"""What waits for a GIN index goes into it at once, and not in the small parts that the usual 4 MB hold."""


@dataclass(frozen=True)
class _Row:
    """A row whose fields are well-formed."""

    number: int
    fields: ImportRow

    def became(self, outcome: Outcome, listing_id: UUID) -> RowReport:
        return RowReport(
            row=self.number, external_id=self.fields.external_id, outcome=outcome, listing_id=listing_id, errors=[]
        )

    def refused(self, problem: Problem) -> RowReport:
        errors = problem.errors or [FieldError(pointer="", code=problem.code(), message=problem.detail)]
        return _refusal(self.number, self.fields.external_id, errors)


class RowRepeated(service.FieldUnfit):
    """An earlier row of this request has the same external_id."""

    pointer = "/external_id"


async def import_rows(session: AsyncSession, host_id: UUID, rows: Sequence[Any], *, dry_run: bool) -> ImportReport:
    """Keep what can be kept, in one transaction; or only say what would become of it."""
    await service.refuse_erased(session, host_id)
    # The mistake that a whole file makes. The database would name its rows one by one.
    categories = {None, *await session.scalars(select(Category.slug))}
    good: dict[str, _Row] = {}
    reports: list[RowReport] = []
    for number, sent in enumerate(rows, start=1):
        if number % _BREATH == 0:
            await asyncio.sleep(0)
        match _read(number, sent):
            case _Row() as row if row.fields.external_id in good:
                reports.append(row.refused(RowRepeated()))
            case _Row() as row if row.fields.category not in categories:
                reports.append(row.refused(service.UnknownCategory()))
            case _Row() as row:
                good[row.fields.external_id] = row
            case refusal:
                reports.append(refusal)
    async with session.begin_nested() as kept:
        # One order for all imports, so that of two at once none waits for the other in a circle.
        reports += await _keep(session, host_id, [good[external_id] for external_id in sorted(good)])
        if dry_run:
            await kept.rollback()
    counts = Counter(report.outcome for report in reports)
    return ImportReport(
        **{outcome.value: counts[outcome] for outcome in Outcome},
        rows=sorted(reports, key=lambda report: report.row),
    )


def _read(number: int, sent: Any) -> _Row | RowReport:
    try:
        return _Row(number, ImportRow.model_validate(sent))
    except ValidationError as exc:
        found = exc.errors(include_url=False, include_context=False, include_input=False)
        errors = [field_error({**each, "loc": ("body", *each["loc"])}) for each in found]
        external_id = sent.get("external_id") if isinstance(sent, dict) else None
        return _refusal(number, external_id if isinstance(external_id, str) else None, errors)


def _refusal(number: int, external_id: str | None, errors: list[FieldError]) -> RowReport:
    return RowReport(row=number, external_id=external_id, outcome=Outcome.REFUSED, listing_id=None, errors=errors)


async def _keep(session: AsyncSession, host_id: UUID, rows: Sequence[_Row]) -> list[RowReport]:
    """Keep all, or if something is refused after all part by part, until the refusal has its row."""
    if not rows:
        return []
    try:
        async with session.begin_nested():
            return await _write(session, host_id, rows)
    except IntegrityError as exc:
        if (kind := service.CONSTRAINTS.get(constraint_name(exc) or "")) is None:
            raise
    if len(rows) == 1:
        return [rows[0].refused(kind())]
    size = -(-len(rows) // _PARTS)
    parts = [rows[start : start + size] for start in range(0, len(rows), size)]
    return [report for part in parts for report in await _keep(session, host_id, part)]


async def _write(session: AsyncSession, host_id: UUID, rows: Sequence[_Row]) -> list[RowReport]:
    names = literal([row.fields.external_id for row in rows], ARRAY(Text))
    theirs = select(Listing).where(Listing.host_id == host_id, Listing.external_id == any_(names))
    found = await session.scalars(
        theirs.order_by(Listing.external_id).with_for_update().execution_options(populate_existing=True)
    )
    there = {listing.external_id: listing for listing in found}
    known = [(listing, row) for row in rows if (listing := there.get(row.fields.external_id)) is not None]
    new = [row for row in rows if row.fields.external_id not in there]
    return await _change(session, known) + await _create(session, host_id, new)


async def _change(session: AsyncSession, known: Sequence[tuple[Listing, _Row]]) -> list[RowReport]:
    """Change those that are there. A row that cannot be is found before the database refuses it with all others."""
    if not known:
        return []
    changed = [{name: getattr(listing, name) for name in _CHECKED} | _sent(row.fields) for listing, row in known]
    asked = await session.execute(_WHAT_IS_BROKEN, {"rows": to_json(changed).decode()})
    broken = {external_id: service.CONSTRAINTS[constraint] for external_id, constraint in asked}
    reports = []
    for listing, row in known:
        try:
            if row.fields.external_id in broken:
                raise broken[row.fields.external_id]
            outcome = await _update(session, listing, row.fields)
            reports.append(row.became(outcome, listing.id))
        except (Unprocessable, Conflict) as problem:
            session.expunge(listing)  # with what it was about to become
            reports.append(row.refused(problem))
    return reports


async def _update(session: AsyncSession, listing: Listing, fields: ImportRow) -> Outcome:
    if listing.status is ListingStatus.ARCHIVED:
        raise service.ListingArchived
    appears = fields.publish and listing.status is ListingStatus.DRAFT
    if appears:  # it changes and appears, or neither
        service.assign(listing, fields.draft())
        service.require_complete(listing)
    changed = await service.amend(session, listing, fields.draft())
    if appears:
        await service.show(session, listing)
    return Outcome.UPDATED if changed or appears else Outcome.UNCHANGED


async def _create(session: AsyncSession, host_id: UUID, rows: Sequence[_Row]) -> list[RowReport]:
    """Insert them with one statement. Nobody has heard of them, so nobody is told (docs/decisions/0023-imports.md)."""
    if not rows:
        return []
    initial = (await session.execute(_INITIAL)).one()._asdict()
    reports: list[RowReport] = []
    new: dict[str, tuple[_Row, dict[str, Any]]] = {}
    for number, row in enumerate(rows, start=1):
        if number % _BREATH == 0:
            await asyncio.sleep(0)
        try:
            new[row.fields.external_id] = (row, _columns(host_id, initial, row.fields))
        except service.ListingIncomplete as problem:
            reports.append(row.refused(problem))
    if not new:
        return reports
    document = to_json([columns for _, columns in new.values()]).decode()
    await session.execute(_ROOM)
    ids = await session.execute(_INSERT, {"rows": document})
    forget_pages(session)
    for external_id, listing_id in ids:
        row, _ = new.pop(external_id)
        reports.append(row.became(Outcome.CREATED, listing_id))
    if new:
        for external_id, constraint in await session.execute(_WHAT_IS_BROKEN, {"rows": document}):
            row, _ = new.pop(external_id)
            reports.append(row.refused(service.CONSTRAINTS[constraint]()))
    # What is left has just been made by another request: it is there now.
    return reports + (await _write(session, host_id, [row for row, _ in new.values()]) if new else [])


def _columns(host_id: UUID, initial: dict[str, Any], fields: ImportRow) -> dict[str, Any]:
    """The row of a new listing, without a `Listing` to build it, which takes thrice the time. Raises if incomplete."""
    columns = {"host_id": host_id, "version": 1, "currency": CURRENCY, "status": ListingStatus.DRAFT}
    if fields.publish:
        service.require_complete(fields)
        columns |= {"status": ListingStatus.PUBLISHED, "published_at": initial["created_at"]}
    return initial | columns | _sent(fields)


def _sent(fields: ImportRow) -> dict[str, Any]:
    """What the row says, by column."""
    sent = {name: getattr(fields, name) for name in fields.model_fields_set}
    amounts = {_AMOUNTS[name]: money and money.amount for name, money in sent.items() if name in _AMOUNTS}
    return {name: value for name, value in sent.items() if name in _NAMES} | amounts
