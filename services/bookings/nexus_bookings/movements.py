"""How each fact about money is written in the ledger: from the fact to entries that sum to zero, in pure functions.

`ledger/service.py` stores what they return. An amount is positive where an account comes to hold or to claim something,
negative where it comes to owe or to have earned it. The chart of accounts, and what a balance in it says:

| account         | balance | says                                                                        |
|-----------------|---------|-----------------------------------------------------------------------------|
| provider        | +       | the payment provider holds it for us                                        |
| guest           | -       | a guest paid it, and it has not bought a stay yet or is on its way back     |
|                 | +       | a guest owes it: money that was taken back after the stay                   |
| host_payable    | -       | a host has earned it and was not paid yet                                   |
| payout          | -       | it is on its way to a host                                                  |
| platform_fee    | -       | we have earned it: the guest's service fee and the host's fee               |
| tax             | -       | we collected it for the state                                               |
| provider_charge | +       | the provider kept it, at our expense                                        |
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from uuid import UUID

from nexus_contracts.money import Money

from nexus_bookings.pricing import Price


class Account(StrEnum):
    """The chart of accounts, explained above."""

    PROVIDER = "provider"
    GUEST = "guest"
    HOST_PAYABLE = "host_payable"
    PAYOUT = "payout"
    PLATFORM_FEE = "platform_fee"
    TAX = "tax"
    PROVIDER_CHARGE = "provider_charge"


class Kind(StrEnum):
    """What happened. With the id of what it happened to, it names a movement: nothing is recorded twice."""

    PAYMENT_RECEIVED = "payment_received"
    PAYMENT_CHARGED = "payment_charged"
    """The provider kept its fee of a payment."""
    PAYMENT_RETURNED = "payment_returned"
    """The provider took a payment back without an order of ours."""
    EARNED = "earned"
    """A payment bought a stay: the price is divided."""
    CHANGED = "changed"
    """A stay became another one: its new price is divided, and the guest is owed what it costs less."""
    RELEASED = "released"
    """A cancelled stay, or a part of it, is no longer earned: the guest is owed it."""
    REFUND_PAID = "refund_paid"
    PAYOUT_ORDERED = "payout_ordered"
    PAYOUT_PAID = "payout_paid"
    PAYOUT_CHARGED = "payout_charged"
    PAYOUT_RETURNED = "payout_returned"
    """A payout that had arrived came back to the provider; that it failed follows at once."""
    PAYOUT_FAILED = "payout_failed"


EARNING = (Account.HOST_PAYABLE, Account.PLATFORM_FEE, Account.TAX)
"""Among these a price is divided."""

Shares = Mapping[Account, int]
"""How much of a booking's money each of `EARNING` has, as positive amounts."""


@dataclass(frozen=True)
class Entry:
    """So much, signed, on one account."""

    account: Account
    amount: int


@dataclass(frozen=True)
class Movement:
    """One fact: entries of one currency that sum to zero."""

    kind: Kind
    source_id: UUID
    """The payment, change, refund, payout or booking that it happened to."""
    currency: str
    entries: tuple[Entry, ...]
    booking_id: UUID | None = None
    host_id: UUID | None = None


def shares(price: Price) -> dict[Account, int]:
    """Who gets how much of a price's total."""
    return {
        Account.HOST_PAYABLE: price.host_payout.amount,
        Account.PLATFORM_FEE: price.service_fee.amount + price.host_fee.amount,
        Account.TAX: price.tax.amount,
    }


def received(payment_id: UUID, booking_id: UUID, charged: Money) -> Movement:
    """The provider holds what a guest paid."""
    entries = _pair(Account.PROVIDER, Account.GUEST, charged.amount)
    return Movement(Kind.PAYMENT_RECEIVED, payment_id, charged.currency, entries, booking_id)


def charged(payment_id: UUID, booking_id: UUID, fee: Money) -> Movement:
    """The provider keeps its fee."""
    entries = _pair(Account.PROVIDER_CHARGE, Account.PROVIDER, fee.amount)
    return Movement(Kind.PAYMENT_CHARGED, payment_id, fee.currency, entries, booking_id)


def returned(payment_id: UUID, booking_id: UUID, money: Money) -> Movement:
    """The provider took back what was left of a payment."""
    entries = _pair(Account.GUEST, Account.PROVIDER, money.amount)
    return Movement(Kind.PAYMENT_RETURNED, payment_id, money.currency, entries, booking_id)


def earned(
    source_id: UUID,
    booking_id: UUID,
    host_id: UUID,
    currency: str,
    *,
    before: Shares,
    now: Shares,
    kind: Kind = Kind.EARNED,
) -> Movement:
    """From now on a stay is divided so; what was earned before counts towards it."""
    gains = {account: now[account] - before.get(account, 0) for account in EARNING}
    entries = (Entry(Account.GUEST, sum(gains.values())), *(Entry(account, -gain) for account, gain in gains.items()))
    return Movement(kind, source_id, currency, entries, booking_id, host_id)


def released(source_id: UUID, booking_id: UUID, host_id: UUID, refund: Money, earned: Shares) -> Movement:
    """So much of what was earned is owed to the guest again, from each account in proportion to what it has."""
    parts = pro_rata(refund.amount, earned)
    entries = (Entry(Account.GUEST, -refund.amount), *(Entry(account, part) for account, part in parts.items()))
    return Movement(Kind.RELEASED, source_id, refund.currency, entries, booking_id, host_id)


def refunded(refund_id: UUID, booking_id: UUID, money: Money) -> Movement:
    """The provider gives a guest what we owed."""
    entries = _pair(Account.GUEST, Account.PROVIDER, money.amount)
    return Movement(Kind.REFUND_PAID, refund_id, money.currency, entries, booking_id)


def payout_ordered(payout_id: UUID, host_id: UUID, money: Money) -> Movement:
    """A host's earnings are on their way."""
    entries = _pair(Account.HOST_PAYABLE, Account.PAYOUT, money.amount)
    return Movement(Kind.PAYOUT_ORDERED, payout_id, money.currency, entries, host_id=host_id)


def payout_paid(payout_id: UUID, host_id: UUID, money: Money) -> Movement:
    """They arrived."""
    entries = _pair(Account.PAYOUT, Account.PROVIDER, money.amount)
    return Movement(Kind.PAYOUT_PAID, payout_id, money.currency, entries, host_id=host_id)


def payout_charged(payout_id: UUID, fee: Money) -> Movement:
    """The provider keeps its fee of a transfer."""
    return Movement(
        Kind.PAYOUT_CHARGED, payout_id, fee.currency, _pair(Account.PROVIDER_CHARGE, Account.PROVIDER, fee.amount)
    )


def payout_returned(payout_id: UUID, host_id: UUID, money: Money) -> Movement:
    """They came back: the provider holds them again, and they are on their way as before."""
    entries = _pair(Account.PROVIDER, Account.PAYOUT, money.amount)
    return Movement(Kind.PAYOUT_RETURNED, payout_id, money.currency, entries, host_id=host_id)


def payout_failed(payout_id: UUID, host_id: UUID, money: Money) -> Movement:
    """They are not on their way any more: the host is owed them as before."""
    entries = _pair(Account.PAYOUT, Account.HOST_PAYABLE, money.amount)
    return Movement(Kind.PAYOUT_FAILED, payout_id, money.currency, entries, host_id=host_id)


def pro_rata(amount: int, weights: Shares) -> dict[Account, int]:
    """`amount` divided in proportion to the weights, to the cent: nobody gives more than its weight.

    Everybody gives the whole minor units of its part; the few that are left over come one each from the largest
    fractions, of equal ones from the first.
    """
    whole = sum(weights.values())
    if not 0 <= amount <= whole or any(weight < 0 for weight in weights.values()):
        raise ValueError(f"{amount} cannot be taken from {dict(weights)}")
    if amount == 0:
        return dict.fromkeys(weights, 0)
    parts = {name: amount * weight // whole for name, weight in weights.items()}
    fractions = sorted(weights, key=lambda name: -(amount * weights[name] % whole))
    for name in fractions[: amount - sum(parts.values())]:
        parts[name] += 1
    return parts


def _pair(to: Account, from_: Account, amount: int) -> tuple[Entry, Entry]:
    return Entry(to, amount), Entry(from_, -amount)
