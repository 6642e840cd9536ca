"""Pays hosts what they have earned: an admin orders, `execute` sends each order once and then asks what became of it.

`routes.py` orders and lists, `timers.py` runs `execute`, webhooks only make it ask sooner.
"""

from datetime import timedelta
from uuid import UUID, uuid4

import structlog
from nexus_contracts.bookings import PayoutFailed, PayoutPaid
from nexus_contracts.money import Money
from nexus_kit.db import lock
from nexus_kit.errors import Conflict, NotFound, Unprocessable
from nexus_kit.outbox import emit
from nexus_kit.runtime import Runtime
from sqlalchemy import Select, case, delete, func, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from nexus_bookings import movements
from nexus_bookings.ledger import service as ledger
from nexus_bookings.payments.provider import (
    BankAccount,
    CurrencyNotAccepted,
    PaymentProvider,
    ProviderRefused,
    Transfer,
    TransferStatus,
)
from nexus_bookings.payouts.models import Payout, PayoutAccount, PayoutStatus
from nexus_bookings.payouts.schemas import NewPayoutAccount, PayoutsQuery

log = structlog.get_logger(__name__)

_FIRST_PAUSE = timedelta(seconds=30)
"""Longer than a call to the provider takes: until then, whoever claimed the payout is believed to be at it."""
_LONGEST_PAUSE = timedelta(hours=1)
UNHEARD_OF = timedelta(hours=1)
"""A transfer that the provider does not know so long after it was sent did not reach it."""
_WATCH = timedelta(days=1)
"""Between two looks at a payout that has arrived."""
WATCHED = timedelta(days=14)
"""How long it is looked at: banks return what they cannot credit within days. Later, only when the provider says so."""


class NoPayoutAccount(Conflict):
    """The host has not said which bank account to pay."""


class NothingToPayOut(Conflict):
    """The host has nothing available."""


class CurrencyRequired(Unprocessable):
    """The host has earned in several currencies; say which one to pay out."""


async def set_account(session: AsyncSession, host_id: UUID, new: NewPayoutAccount) -> PayoutAccount:
    """Pay the host there from now on; payouts that were sent already are not touched."""
    values = {**new.model_dump(), "updated_at": func.now()}
    row = insert(PayoutAccount).values(host_id=host_id, **values)
    row = row.on_conflict_do_update(index_elements=["host_id"], set_=values)
    return (await session.scalars(row.returning(PayoutAccount))).one()


async def account(session: AsyncSession, host_id: UUID) -> PayoutAccount:
    """Where a host is paid."""
    found = await session.get(PayoutAccount, host_id)
    if found is None:
        raise NotFound("You have not said where to pay you.")
    return found


async def forget_account(session: AsyncSession, host_id: UUID) -> None:
    """The user is gone, and with them their bank account. What they are owed stays in the ledger."""
    await session.execute(delete(PayoutAccount).where(PayoutAccount.host_id == host_id))


async def order(session: AsyncSession, host_id: UUID, currency: str | None, admin_id: UUID) -> Payout:
    """Take all that a host has available. Of two orders at once the second waits, and finds nothing left."""
    await lock(session, f"payouts of {host_id}")
    if await session.get(PayoutAccount, host_id) is None:
        raise NoPayoutAccount
    balances = await ledger.balances(session, host_id)
    available = [each.available for each in balances if each.available.amount > 0 and currency in (None, each.currency)]
    if not available:
        raise NothingToPayOut
    if len(available) > 1:
        raise CurrencyRequired
    [money] = available
    payout = Payout(
        host_id=host_id,
        ordered_by=admin_id,
        reference=f"nexus-{uuid4()}",
        amount=money.amount,
        currency=money.currency,
    )
    session.add(payout)
    await session.flush()
    await ledger.record(session, movements.payout_ordered(payout.id, host_id, money))
    return payout


def visible(user_id: UUID, query: PayoutsQuery, *, is_admin: bool) -> Select[Payout]:
    """A host's own payouts, or everybody's for an admin, newest first."""
    statement = select(Payout).order_by(Payout.id.desc())
    if not is_admin:
        statement = statement.where(Payout.host_id == user_id)
    if query.host_id is not None:
        statement = statement.where(Payout.host_id == query.host_id)
    return statement if query.status is None else statement.where(Payout.status == query.status)


async def get(session: AsyncSession, payout_id: UUID, user_id: UUID, *, is_admin: bool) -> Payout:
    """A payout, for its host or an admin; `NotFound` for anybody else."""
    payout = await session.get(Payout, payout_id)
    if payout is None or not (is_admin or payout.host_id == user_id):
        raise NotFound("There is no such payout.")
    return payout


async def ask_now(session: AsyncSession, reference: str) -> None:
    """The provider says that something happened to it."""
    sent = (Payout.reference == reference, Payout.status != PayoutStatus.FAILED, Payout.sent_at.is_not(None))
    await session.execute(update(Payout).where(*sent).values(due_at=func.now()))


async def execute(runtime: Runtime, provider: PaymentProvider) -> None:
    """Send the payouts that are ordered, and ask about those that were sent; none that fails stops the others."""
    while True:
        async with runtime.database.unit_of_work() as session:
            claimed = await _claim(session)
        if claimed is None:
            return
        payout, to = claimed
        try:
            refusal = await _send(provider, payout, to) if to else None
            transfer = await provider.verify_transfer(payout.reference)
            async with runtime.database.unit_of_work() as session:
                await settle(session, payout.id, transfer, refusal)
        except Exception as exc:  # noqa: BLE001 - its text might quote a bank account, so it is not logged
            log.warning("payout not settled yet", payout=str(payout.id), tries=payout.tries, error=type(exc).__name__)


async def settle(session: AsyncSession, payout_id: UUID, transfer: Transfer | None, refusal: str | None = None) -> None:
    """Act on the provider's answer, once. `refusal` is why it would not send it just now."""
    payout = await session.get_one(Payout, payout_id, with_for_update=True)
    if payout.status is PayoutStatus.FAILED:
        return
    if transfer is None:
        await _unknown(session, payout, refusal)
    elif (transfer.reference, transfer.money) != (payout.reference, payout.money):
        payout.note(f"ordered {payout.money}; the provider speaks of {transfer.reference}, {transfer.money}")
        log.error("transfer does not match", payout=str(payout.id), reason=payout.failure)
    elif transfer.status is TransferStatus.FAILED and payout.status is PayoutStatus.PAID:
        await _come_back(session, payout)
    elif transfer.status is TransferStatus.FAILED:
        await _fail(session, payout, "the provider says that it failed")
    elif transfer.status is TransferStatus.PAID and payout.status is PayoutStatus.PENDING:
        await _pay(session, payout, transfer)
    else:
        payout.note(None)
    if payout.status is PayoutStatus.PAID:
        await _watch(session, payout)


async def _claim(session: AsyncSession) -> tuple[Payout, BankAccount | None] | None:
    """The next payout that is due, and where to send it: None if it may have been sent. It is due again later."""
    due = select(Payout).where(Payout.due_at <= func.now()).order_by(Payout.due_at).limit(1)
    payout = await session.scalar(due.with_for_update(skip_locked=True))
    if payout is None:
        return None
    is_new, account = payout.sent_at is None, await session.get(PayoutAccount, payout.host_id)
    if is_new and account is None:
        await _fail(session, payout, "the host has no bank account any more")
        return payout, None
    payout.sent_at = func.now() if is_new else payout.sent_at
    payout.due_at = func.now() + min(_FIRST_PAUSE * 2 ** min(payout.tries, 10), _LONGEST_PAUSE)
    payout.tries += 1
    await session.flush()
    return payout, account.as_bank_account() if is_new and account else None


async def _send(provider: PaymentProvider, payout: Payout, to: BankAccount) -> str | None:
    """Tell the provider, once and for all. Answers why it refused: which may mean that it knows the payout already.

    The provider may quote the bank account, which is not to be kept with the payout.
    """
    try:
        await provider.transfer(payout.reference, payout.money, to)
    except (ProviderRefused, CurrencyNotAccepted) as problem:
        return problem.detail.replace(to.number, "…").replace(to.name, "…")
    return None


async def _unknown(session: AsyncSession, payout: Payout, refusal: str | None) -> None:
    """The provider knows no such transfer: it never got there or, once it had arrived, the provider is confused."""
    if payout.status is PayoutStatus.PAID:
        payout.note("the provider knows nothing of it any more")
        return
    unheard_of = Payout.sent_at <= func.now() - UNHEARD_OF
    if refusal or await session.scalar(select(unheard_of).where(Payout.id == payout.id)):
        await _fail(session, payout, refusal or "the provider never heard of it")


async def _pay(session: AsyncSession, payout: Payout, transfer: Transfer) -> None:
    payout.move(PayoutStatus.PAID)
    payout.paid_at, payout.failure = func.now(), None
    await ledger.record(session, movements.payout_paid(payout.id, payout.host_id, payout.money))
    if transfer.fee:
        fee = Money(amount=transfer.fee, currency=payout.currency)
        await ledger.record(session, movements.payout_charged(payout.id, fee))
    await emit(session, PayoutPaid(**payout.facts()), sequence=payout.version)


async def _watch(session: AsyncSession, payout: Payout) -> None:
    """Look again tomorrow: for some days, and while answers are odd. A hint that came meanwhile (it is due) stays."""
    await session.flush()
    is_watched = (Payout.paid_at > func.now() - WATCHED) | Payout.failure.is_not(None)
    look_again = case((is_watched, func.now() + _WATCH))
    not_due = (Payout.id == payout.id) & (Payout.due_at.is_(None) | (Payout.due_at > func.clock_timestamp()))
    await session.execute(update(Payout).where(not_due).values(due_at=look_again))


async def _come_back(session: AsyncSession, payout: Payout) -> None:
    """It had arrived, and did not stay: the provider holds it again, we owe it to the host, and an operator looks."""
    log.error("payout came back", payout=str(payout.id))
    payout.attention_since = func.now()
    await ledger.record(session, movements.payout_returned(payout.id, payout.host_id, payout.money))
    await _fail(session, payout, "it had arrived, and the provider says that it came back", came_back=True)


async def _fail(session: AsyncSession, payout: Payout, reason: str, *, came_back: bool = False) -> None:
    payout.move(PayoutStatus.FAILED)
    payout.failure = reason
    await ledger.record(session, movements.payout_failed(payout.id, payout.host_id, payout.money))
    await emit(session, PayoutFailed(**payout.facts(), came_back=came_back), sequence=payout.version)
