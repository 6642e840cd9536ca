"""Records movements of money in the transaction that makes them true, and answers what a host is owed.

settlement, refunds and payouts record; `routes.py` and payouts ask.
"""

import csv
import io
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from contextlib import AbstractAsyncContextManager
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

from nexus_contracts.money import Money
from sqlalchemy import Row
from sqlalchemy.ext.asyncio import AsyncSession

from nexus_bookings import movements
from nexus_bookings.bookings.models import Booking
from nexus_bookings.ledger import queries
from nexus_bookings.ledger.models import LedgerEntry, LedgerTransaction
from nexus_bookings.ledger.schemas import Balance
from nexus_bookings.movements import Account, Kind, Movement, Shares

Work = Callable[[], AbstractAsyncContextManager[AsyncSession]]

_HOSTS_OWN = (Account.HOST_PAYABLE, Account.PAYOUT)
_PARTS = ("pending", "available", "on_the_way", "paid_out")
_COLUMNS = ("time", "movement", "booking_id", "payout_id", "listing", "currency", "amount", "balance")
_PAGE = 500
"""Lines of a statement that are read at once: between two pages no connection is held."""


async def record(session: AsyncSession, movement: Movement) -> None:
    """Write a movement, if it moves anything. The database refuses it twice, and whatever does not sum to zero."""
    entries = [
        LedgerEntry(
            account=entry.account,
            amount=entry.amount,
            currency=movement.currency,
            booking_id=movement.booking_id,
            host_id=movement.host_id if entry.account in _HOSTS_OWN else None,
        )
        for entry in movement.entries
        if entry.amount
    ]
    if not entries:
        return
    session.add(LedgerTransaction(kind=movement.kind, source_id=movement.source_id, entries=entries))
    await session.flush()


async def earn(session: AsyncSession, booking: Booking, source_id: UUID, kind: Kind = Kind.EARNED) -> None:
    """A payment bought the stay at its price, or a change made it: divide it. What was earned before counts to it."""
    before = await _earned_by(session, booking.id)
    now = movements.shares(booking.price)
    await record(
        session,
        movements.earned(source_id, booking.id, booking.host_id, booking.currency, before=before, now=now, kind=kind),
    )


async def release(session: AsyncSession, booking_id: UUID, source_id: UUID, refund: Money) -> None:
    """So much of what a booking earned belongs to the guest again."""
    booking = await session.get_one(Booking, booking_id)
    earned = await _earned_by(session, booking_id)
    await record(session, movements.released(source_id, booking_id, booking.host_id, refund, earned))


async def release_rest(session: AsyncSession, booking: Booking) -> None:
    """Nobody earns anything of a booking any more: what no refund released, the provider took back before."""
    earned = await _earned_by(session, booking.id)
    rest = booking.money(sum(earned.values()))
    await record(session, movements.released(booking.id, booking.id, booking.host_id, rest, earned))


async def balances(session: AsyncSession, host_id: UUID) -> list[Balance]:
    """A host's money, one row for each currency that was ever earned."""
    rows = await session.execute(queries.balances(host_id))
    return [
        Balance.model_validate(
            {"currency": currency}
            | {name: Money(amount=amount, currency=currency) for name, amount in zip(_PARTS, amounts, strict=True)}
        )
        for currency, *amounts in rows
    ]


async def statement(work: Work, host_id: UUID, month: date) -> AsyncIterator[str]:
    """What changed what a host is owed in a month (UTC), from opening to closing balances, as CSV (RFC 4180)."""
    begin = datetime(month.year, month.month, 1, tzinfo=UTC)
    end = (begin + timedelta(days=31)).replace(day=1)
    yield _lines([_COLUMNS])
    async with work() as session:
        balance = dict((await session.execute(queries.balance_before(host_id, begin))).all())
    yield _lines(_total(begin, "opening_balance", balance))
    after: int | None = 0
    while after is not None:
        async with work() as session:
            rows = (await session.execute(queries.movements_of(host_id, begin, end, after=after, limit=_PAGE))).all()
        yield _lines(_movement(row, balance) for row in rows)
        after = rows[-1].id if len(rows) == _PAGE else None
    yield _lines(_total(end, "closing_balance", balance))


async def _earned_by(session: AsyncSession, booking_id: UUID) -> Shares:
    return dict((await session.execute(queries.earned_by(booking_id))).all())


def _movement(row: Row[Any], balance: dict[str, int]) -> list[str]:
    """One line, which moves the running balance on."""
    balance[row.currency] = balance.get(row.currency, 0) + row.amount
    about = (str(row.booking_id or ""), str(row.payout_id or ""), _cell(row.listing_title or ""))
    amounts = (row.currency, _decimal(row.amount), _decimal(balance[row.currency]))
    return [_instant(row.at), row.kind, *about, *amounts]


def _total(at: datetime, name: str, balance: dict[str, int]) -> Iterable[list[str]]:
    return ([_instant(at), name, "", "", "", currency, "", _decimal(amount)] for currency, amount in balance.items())


def _lines(rows: Iterable[Sequence[str]]) -> str:
    text = io.StringIO()
    csv.writer(text).writerows(rows)
    return text.getvalue()


def _cell(text: str) -> str:
    """A spreadsheet takes a cell that begins like this for a formula, and would run what a stranger wrote."""
    return f"'{text}" if text.lstrip()[:1] in ("=", "+", "-", "@") or text[:1] in ("\t", "\r", "\n") else text


def _instant(at: datetime) -> str:
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _decimal(amount: int) -> str:
    """All currencies that the provider takes have two places."""
    return f"{Decimal(amount).scaleb(-2):.2f}"
