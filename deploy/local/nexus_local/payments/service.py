"""What happens to payments: a guest pays or does not, a merchant refunds. Each move and its webhooks are one write.

`checkout` and `simulator` settle transactions, `chapa` makes and refunds them.
"""

import secrets
import string
import time
from typing import Literal
from urllib.parse import urlencode

from nexus_local.payments import wire
from nexus_local.payments.behaviour import behaviour_of
from nexus_local.payments.context import Context
from nexus_local.payments.store import Delivery, JsonObject, Refund, RefundStatus, Status, Transaction, now

FEE_PER_MILLE = 35
LETTERS = string.ascii_letters + string.digits
Outcome = Literal["pay", "fail", "abandon"]
"""What a guest can do on the hosted page. Closing it leaves the transaction pending."""
RefundEnd = Literal["give", "fail"]
"""How a slow refund ends."""
Return = Literal["refund", "reverse"]
"""How the whole charge leaves the merchant again without a call of theirs: on Chapa's dashboard, or by the bank."""
STATUS_AFTER: dict[Outcome, Status] = {"pay": Status.SUCCESS, "fail": Status.FAILED, "abandon": Status.CANCELLED}


def initialize(context: Context, request: JsonObject, amount: int) -> Transaction | None:
    """A new pending transaction over `amount` minor units, or None if its `tx_ref` was used before."""
    created_at = now()
    transaction = Transaction(
        tx_ref=request["tx_ref"],
        reference=f"AP{_random(10)}",
        token=_random(40),
        status=Status.PENDING,
        amount=amount,
        charge=(amount * FEE_PER_MILLE + 500) // 1000,
        currency=request["currency"],
        request=request,
        created_at=created_at,
        updated_at=created_at,
    )
    with context.store.atomic():
        return transaction if context.store.add_transaction(transaction) else None


def settle(context: Context, tx_ref: str, outcome: Outcome) -> bool:
    """End a pending transaction and tell the merchant; false if it is not pending (any more).

    A failed one may still be paid: the guest tries again on the same page.
    """
    store, status = context.store, STATUS_AFTER[outcome]
    with store.atomic():
        paid_after_all = outcome == "pay" and store.move(tx_ref, Status.FAILED, status)
        if not (paid_after_all or store.move(tx_ref, Status.PENDING, status)):
            return False
        transaction = store.transaction("tx_ref", tx_ref)
        assert transaction
        if status is Status.SUCCESS:
            _owe_webhook(context, transaction, "charge.success", "success")
        else:
            _owe_webhook(context, transaction, "charge.failed/cancelled", "failed/cancelled")
        if callback_url := transaction.request.get("callback_url"):
            _owe_callback(context, transaction, callback_url)
    context.work.set()
    return True


def refund(context: Context, transaction: Transaction, amount: int, form: JsonObject) -> Refund | None:
    """Take the order to give `amount` minor units back, and do so unless refunds are slow.

    None if the refund's `reference` was used before.
    """
    ordered = Refund(
        ref_id=f"REF-{_random(12)}",
        tx_ref=transaction.tx_ref,
        amount=amount,
        reference=form.get("reference"),
        reason=form.get("reason"),
        meta=form.get("meta") or {},
        created_at=now(),
    )
    with context.store.atomic():
        if not context.store.add_refund(ordered):
            return None
    if behaviour_of(context).refunds == "at_once":
        end_refund(context, ordered, "give")
    return ordered


def end_refund(context: Context, ordered: Refund, end: RefundEnd) -> bool:
    """Give the money back and tell the merchant, or fail to; false if that is known already."""
    store = context.store
    with store.atomic():
        if not store.end_refund(ordered.ref_id, RefundStatus.REFUNDED if end == "give" else RefundStatus.FAILED):
            return False
        transaction = store.transaction("tx_ref", ordered.tx_ref)
        assert transaction
        if store.refunded(ordered.tx_ref, RefundStatus.INITIATED) == transaction.amount:
            store.move(ordered.tx_ref, Status.SUCCESS, Status.REFUNDED)
        if end == "give":
            _owe_webhook(context, transaction, "charge.refunded", "refunded", ordered)
    context.work.set()
    return True


def take_back(context: Context, tx_ref: str, how: Return) -> bool:
    """Return a paid transaction behind the merchant's back, and tell them; false if it is not paid."""
    status = Status.REFUNDED if how == "refund" else Status.REVERSED
    with context.store.atomic():
        if not context.store.move(tx_ref, Status.SUCCESS, status):
            return False
        transaction = context.store.transaction("tx_ref", tx_ref)
        assert transaction
        _owe_webhook(context, transaction, f"charge.{status}", status)
    context.work.set()
    return True


def _owe_webhook(
    context: Context, transaction: Transaction, event: str, status: str, refunded: Refund | None = None
) -> None:
    behaviour = behaviour_of(context)
    body = wire.webhook(transaction, behaviour, event, status, refunded)
    for _ in range(1 + behaviour.duplicate):
        owe(context, Delivery("POST", context.settings.webhook_url, body, context.settings.attempts))


def _owe_callback(context: Context, transaction: Transaction, url: str) -> None:
    """Chapa calls the merchant's `callback_url` once, unsigned: a hint that proves nothing."""
    facts = {"trx_ref": transaction.tx_ref, "ref_id": transaction.reference, "status": transaction.status}
    owe(context, Delivery("GET", f"{url}{'&' if '?' in url else '?'}{urlencode(facts)}", "", max_attempts=1))


def owe(context: Context, delivery: Delivery) -> None:
    """Remember a request to make, as late as the behaviour says."""
    context.store.owe(delivery, time.time() + behaviour_of(context).delay)


def _random(length: int) -> str:
    return "".join(secrets.choice(LETTERS) for _ in range(length))
