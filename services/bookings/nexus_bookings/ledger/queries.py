"""What is asked of the ledger. `service.py` executes these, and turns the rows into money."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import BigInteger, ColumnElement, Select, SQLColumnExpression, case, cast, func, select

from nexus_bookings.bookings.models import Booking, BookingStatus
from nexus_bookings.ledger.models import LedgerEntry, LedgerTransaction
from nexus_bookings.movements import EARNING, Account, Kind


def earned_by(booking_id: UUID) -> Select[Account, int]:
    """What each earning account has of a booking, as positive amounts."""
    return (
        select(LedgerEntry.account, _total(-LedgerEntry.amount))
        .where(LedgerEntry.booking_id == booking_id, LedgerEntry.account.in_(EARNING))
        .group_by(LedgerEntry.account)
    )


def balances(host_id: UUID) -> Select[str, int, int, int, int]:
    """A host's money by currency: `pending`, `available`, `on_the_way`, `paid_out`.

    A stay's money is pending until the stay is over. What a cancelled one leaves to the host is available at once:
    nothing can change it any more.
    """
    earnings = LedgerEntry.account == Account.HOST_PAYABLE
    ahead = Booking.status.is_not_distinct_from(BookingStatus.CONFIRMED)
    in_payout = LedgerEntry.account == Account.PAYOUT
    arrived = LedgerTransaction.kind.in_([Kind.PAYOUT_PAID, Kind.PAYOUT_RETURNED])
    return (
        select(
            LedgerEntry.currency,
            _total(-LedgerEntry.amount, earnings & ahead).label("pending"),
            _total(-LedgerEntry.amount, earnings & ~ahead).label("available"),
            _total(-LedgerEntry.amount, in_payout).label("on_the_way"),
            _total(LedgerEntry.amount, in_payout & arrived).label("paid_out"),
        )
        .join(LedgerTransaction, LedgerTransaction.id == LedgerEntry.transaction_id)
        .outerjoin(Booking, Booking.id == LedgerEntry.booking_id)
        .where(LedgerEntry.host_id == host_id)
        .group_by(LedgerEntry.currency)
        .order_by(LedgerEntry.currency)
    )


def balance_before(host_id: UUID, instant: datetime) -> Select[str, int]:
    """What a host was owed then, by each currency that the ledger has of theirs."""
    return (
        select(LedgerEntry.currency, _total(-LedgerEntry.amount, LedgerTransaction.at < instant))
        .join(LedgerTransaction, LedgerTransaction.id == LedgerEntry.transaction_id)
        .where(_owed_to(host_id))
        .group_by(LedgerEntry.currency)
        .order_by(LedgerEntry.currency)
    )


def movements_of(host_id: UUID, begin: datetime, end: datetime, *, after: int, limit: int) -> Select[Any]:
    """What changed what a host is owed in `[begin, end)`, in the order of writing, after one entry's id."""
    is_payout = LedgerTransaction.kind.in_([Kind.PAYOUT_ORDERED, Kind.PAYOUT_FAILED])
    return (
        select(
            LedgerEntry.id,
            LedgerTransaction.at,
            LedgerTransaction.kind,
            LedgerEntry.booking_id,
            case((is_payout, LedgerTransaction.source_id)).label("payout_id"),
            Booking.listing_title,
            LedgerEntry.currency,
            (-LedgerEntry.amount).label("amount"),
        )
        .join(LedgerTransaction, LedgerTransaction.id == LedgerEntry.transaction_id)
        .outerjoin(Booking, Booking.id == LedgerEntry.booking_id)
        .where(_owed_to(host_id), LedgerTransaction.at >= begin, LedgerTransaction.at < end, LedgerEntry.id > after)
        .order_by(LedgerEntry.id)
        .limit(limit)
    )


def _owed_to(host_id: UUID) -> ColumnElement[bool]:
    return (LedgerEntry.host_id == host_id) & (LedgerEntry.account == Account.HOST_PAYABLE)


def _total(amount: SQLColumnExpression[int], condition: ColumnElement[bool] | None = None) -> ColumnElement[int]:
    """An integer again: PostgreSQL sums bigints to a numeric."""
    total = func.sum(amount) if condition is None else func.sum(amount).filter(condition)
    return cast(func.coalesce(total, 0), BigInteger)
