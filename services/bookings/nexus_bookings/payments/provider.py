"""The payment provider: what Nexus asks of any, as a `Protocol`, and Chapa, the first of them.

`service` opens checkouts with it, `settlement` asks what became of them, `refunds` gives money back, `payouts` sends it
to hosts. Chapa's contract: https://developer.chapa.co (accept-payments, verify-payments, refund, transfers). Locally
`nexus_local.payments` speaks it.
"""

import json
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from types import TracebackType
from typing import Annotated, Any, Literal, Protocol, Self, TypeVar

import httpx
import stamina
from nexus_contracts.money import Currency, Money
from nexus_kit.errors import Unprocessable, UpstreamFailed, UpstreamUnavailable
from pydantic import BaseModel, Field, RootModel

T = TypeVar("T", bound=BaseModel)

Mode = Literal["test", "live"]
"""In test mode no money moves."""


class CurrencyNotAccepted(Unprocessable):
    """The payment provider does not take this currency."""


class ProviderRefused(UpstreamFailed):
    """The payment provider understood the request, and declined it."""


class ChargeStatus(StrEnum):
    """What became of a checkout, in the provider's words reduced to ours."""

    PENDING = "pending"
    FAILED = "failed"
    SUCCEEDED = "succeeded"
    REFUNDED = "refunded"
    """It had succeeded, and was given back: by our order, or on the provider's own dashboard."""
    REVERSED = "reversed"
    """It had succeeded, and the payer's bank took it back."""


class RefundOutcome(StrEnum):
    """What became of an order to give money back, which the provider took."""

    PENDING = "pending"
    DONE = "done"
    FAILED = "failed"


@dataclass(frozen=True)
class Payer:
    """Who pays. Asked of auth, passed on to the provider, never stored."""

    email: str
    first_name: str
    last_name: str


@dataclass(frozen=True)
class Charge:
    """The provider's answer about one checkout."""

    tx_ref: str
    status: ChargeStatus
    money: Money
    reference: str | None
    """The provider's own name for it."""
    fee: int
    """What the provider keeps of it, in minor units of its currency."""
    in_our_mode: bool
    """False for play money in a live account, and for real money in a test account."""


class TransferStatus(StrEnum):
    """What became of a transfer to a bank."""

    PENDING = "pending"
    PAID = "paid"
    FAILED = "failed"


@dataclass(frozen=True)
class BankAccount:
    """Whom a transfer goes to."""

    name: str
    number: str
    bank_code: int
    """By the provider's list of banks."""


@dataclass(frozen=True)
class Transfer:
    """The provider's answer about one transfer."""

    reference: str
    status: TransferStatus
    money: Money
    fee: int
    """What the provider keeps for it, besides, in minor units of its currency."""


@dataclass(frozen=True)
class Bank:
    """Where a transfer can go."""

    code: int
    name: str


class PaymentProvider(AbstractAsyncContextManager["PaymentProvider"], Protocol):
    """All calls raise `UpstreamUnavailable` when it is not known whether they took effect."""

    async def open_checkout(self, tx_ref: str, money: Money, payer: Payer, *, purpose: str, return_url: str) -> str:
        """Address of a page where the payer pays. Call once per `tx_ref`. `ProviderRefused`: there will be no page."""

    async def verify(self, tx_ref: str) -> Charge | None:
        """What became of a checkout; None if the provider knows no such `tx_ref`."""

    async def refund(self, payment: str, money: Money, *, reference: str, reason: str) -> None:
        """Order so much of a charge back (`payment` is its reference). Safe to call again with the same `reference`."""

    async def verify_refund(self, reference: str) -> RefundOutcome | None:
        """What became of a refund; None if the provider knows no such `reference`."""

    async def transfer(self, reference: str, money: Money, account: BankAccount) -> None:
        """Send money to a bank. Call once per `reference`. `ProviderRefused`: it will not be sent."""

    async def verify_transfer(self, reference: str) -> Transfer | None:
        """What became of a transfer; None if the provider knows no such `reference`."""

    async def banks(self) -> list[Bank]:
        """Where a transfer can go."""


_Decimal = Annotated[Decimal, Field(max_digits=17, decimal_places=2)]


class _Answer(BaseModel):
    """Every answer of Chapa's."""

    status: str | None = None
    message: Any = None
    data: Any = None


class _Page(BaseModel):
    """The `data` of `initialize`."""

    checkout_url: str


class _Transaction(BaseModel):
    """The `data` of `verify`, as far as we use it."""

    tx_ref: str
    status: str
    amount: _Decimal
    charge: _Decimal = Decimal(0)
    currency: Currency
    mode: str | None = None
    reference: str | None = None


class _Refund(BaseModel):
    """The `data` of `refund/…/verify`, as far as we use it."""

    status: str


class _Transfer(BaseModel):
    """The `data` of `transfers/verify`, as far as we use it."""

    tx_ref: str
    status: str
    amount: _Decimal
    charge: _Decimal = Decimal(0)
    currency: Currency


class _Bank(BaseModel):
    """One of the `data` of `banks`."""

    id: int
    name: str


class _Banks(RootModel[list[_Bank]]):
    """The `data` of `banks`."""


class _Accepted(RootModel[Any]):
    """The `data` of a refund or a transfer: that it came with a success is all we need."""


class Chapa:
    """Chapa v1 over HTTP."""

    _CURRENCIES = ("ETB", "USD")
    """Both have two decimal places."""
    _STATUSES = {
        "success": ChargeStatus.SUCCEEDED,
        "failed": ChargeStatus.FAILED,
        "failed/cancelled": ChargeStatus.FAILED,
        "cancelled": ChargeStatus.FAILED,
        "refunded": ChargeStatus.REFUNDED,
        "reversed": ChargeStatus.REVERSED,
    }
    _REFUND_STATUSES = {
        "refunded": RefundOutcome.DONE,
        "success": RefundOutcome.DONE,
        "failed": RefundOutcome.FAILED,
        "failed/cancelled": RefundOutcome.FAILED,
        "cancelled": RefundOutcome.FAILED,
        "reversed": RefundOutcome.FAILED,
    }
    _TRANSFER_STATUSES = {
        "success": TransferStatus.PAID,
        "failed": TransferStatus.FAILED,
        "failed/cancelled": TransferStatus.FAILED,
        "cancelled": TransferStatus.FAILED,
        "reversed": TransferStatus.FAILED,
    }

    def __init__(self, url: str, secret_key: str, *, mode: Mode, timeout: float) -> None:
        headers = {"Authorization": f"Bearer {secret_key}"}
        self._mode = mode
        self._client = httpx.AsyncClient(base_url=url, timeout=httpx.Timeout(timeout, connect=2.0), headers=headers)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self._client.aclose()

    async def open_checkout(self, tx_ref: str, money: Money, payer: Payer, *, purpose: str, return_url: str) -> str:
        """POST /v1/transaction/initialize, never repeated: a second one might charge twice."""
        order = {
            "amount": self._decimal(money),
            "currency": money.currency,
            "tx_ref": tx_ref,
            "email": payer.email,
            "first_name": payer.first_name,
            "last_name": payer.last_name,
            "return_url": return_url,
            "customization": {"title": "Nexus", "description": purpose},
        }
        return self._read(await self._send("POST", "/v1/transaction/initialize", json=order), _Page).checkout_url

    async def verify(self, tx_ref: str) -> Charge | None:
        """GET /v1/transaction/verify/{tx_ref}, repeated when it fails: it only asks."""
        answer = await self._ask(f"/v1/transaction/verify/{tx_ref}")
        if answer.status_code == 404:
            return None
        found = self._read(answer, _Transaction)
        return Charge(
            tx_ref=found.tx_ref,
            status=self._STATUSES.get(found.status, ChargeStatus.PENDING),
            money=Money(amount=_minor(found.amount), currency=found.currency),
            reference=found.reference,
            fee=_minor(found.charge),
            in_our_mode=found.mode == self._mode,
        )

    async def refund(self, payment: str, money: Money, *, reference: str, reason: str) -> None:
        """POST /v1/refund/{payment}. A refusal may mean "done already", so it is checked before it is believed."""
        form = {"reason": reason, "amount": self._decimal(money), "reference": reference}
        try:
            self._read(await self._send("POST", f"/v1/refund/{payment}", data=form), _Accepted)
        except ProviderRefused:
            if await self.verify_refund(reference) is None:
                raise

    async def verify_refund(self, reference: str) -> RefundOutcome | None:
        """GET /v1/refund/{reference}/verify, repeated when it fails."""
        answer = await self._ask(f"/v1/refund/{reference}/verify")
        if answer.status_code == 404:
            return None
        return self._REFUND_STATUSES.get(self._read(answer, _Refund).status, RefundOutcome.PENDING)

    async def transfer(self, reference: str, money: Money, account: BankAccount) -> None:
        """POST /v1/transfers, never repeated: a second one might pay twice."""
        order = {
            "account_name": account.name,
            "account_number": account.number,
            "amount": self._decimal(money),
            "currency": money.currency,
            "reference": reference,
            "bank_code": account.bank_code,
        }
        self._read(await self._send("POST", "/v1/transfers", json=order), _Accepted)

    async def verify_transfer(self, reference: str) -> Transfer | None:
        """GET /v1/transfers/verify/{reference}, repeated when it fails."""
        answer = await self._ask(f"/v1/transfers/verify/{reference}")
        if answer.status_code == 404:
            return None
        found = self._read(answer, _Transfer)
        return Transfer(
            reference=found.tx_ref,
            status=self._TRANSFER_STATUSES.get(found.status, TransferStatus.PENDING),
            money=Money(amount=_minor(found.amount), currency=found.currency),
            fee=_minor(found.charge),
        )

    async def banks(self) -> list[Bank]:
        """GET /v1/banks, repeated when it fails."""
        found = self._read(await self._ask("/v1/banks"), _Banks)
        return [Bank(code=bank.id, name=bank.name) for bank in found.root]

    async def _ask(self, path: str) -> httpx.Response:
        async for attempt in stamina.retry_context(on=UpstreamUnavailable, attempts=3, wait_initial=0.1, wait_max=0.5):
            with attempt:
                answer = await self._send("GET", path)
        return answer

    async def _send(self, method: str, path: str, **content: Any) -> httpx.Response:
        try:
            answer = await self._client.request(method, path, **content)
        except httpx.TransportError as exc:
            raise UpstreamUnavailable("The payment provider does not answer.") from exc
        if answer.status_code >= 500 or answer.status_code == 429:
            raise UpstreamUnavailable("The payment provider cannot answer now.")
        return answer

    @staticmethod
    def _read(answer: httpx.Response, model: type[T]) -> T:
        """The `data` of a good answer, its numbers exact. An error has a `message` (text or object) and no data."""
        try:
            body = _Answer.model_validate(json.loads(answer.content, parse_float=Decimal))
            if answer.is_error or body.status not in ("success", None):  # `banks` has no status
                raise ProviderRefused(f"The payment provider declined: {str(body.message)[:200]}")
            return model.model_validate(body.data)
        except ValueError as exc:  # no JSON, or not what is documented
            raise UpstreamFailed("The payment provider answered nonsense.") from exc

    def _decimal(self, money: Money) -> str:
        if money.currency not in self._CURRENCIES:
            raise CurrencyNotAccepted(f"{money.currency} is not one of {', '.join(self._CURRENCIES)}.")
        return f"{Decimal(money.amount).scaleb(-2):.2f}"


def _minor(amount: Decimal) -> int:
    """All currencies that Chapa takes have two places."""
    return int(amount.scaleb(2))
