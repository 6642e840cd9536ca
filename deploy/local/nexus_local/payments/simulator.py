"""The levers: see and settle transactions without the hosted page, and make the provider misbehave.

Tests and people at the keyboard use them; Chapa has nothing like it.
"""

from fastapi import APIRouter, HTTPException

from nexus_local.payments import service, wire
from nexus_local.payments.behaviour import Behaviour, behaviour_of
from nexus_local.payments.context import Context, ContextDep
from nexus_local.payments.store import JsonObject, RefundStatus, Transaction

router = APIRouter(prefix="/simulator")


@router.get("/transactions")
async def list_transactions(context: ContextDep) -> list[JsonObject]:
    """Every transaction, newest first."""
    return [_shown(context, transaction) for transaction in context.store.transactions()]


@router.post("/transactions/{tx_ref}/{outcome}")
async def settle(context: ContextDep, tx_ref: str, outcome: service.Outcome) -> JsonObject:
    """Do what the button of the hosted page does; 409 when it is settled already."""
    if not context.store.transaction("tx_ref", tx_ref):
        raise HTTPException(404, "no such transaction")
    if not service.settle(context, tx_ref, outcome):
        raise HTTPException(409, "settled already")
    transaction = context.store.transaction("tx_ref", tx_ref)
    assert transaction
    return _shown(context, transaction)


@router.post("/transactions/{tx_ref}/return/{how}")
async def take_back(context: ContextDep, tx_ref: str, how: service.Return) -> JsonObject:
    """Give a payment back on the dashboard, or lose it to a chargeback; 409 unless it is paid."""
    if not service.take_back(context, tx_ref, how):
        raise HTTPException(409, "not paid")
    transaction = context.store.transaction("tx_ref", tx_ref)
    assert transaction
    return _shown(context, transaction)


@router.post("/refunds/{reference}/{end}", status_code=204)
async def end_refund(context: ContextDep, reference: str, end: service.RefundEnd) -> None:
    """End a slow refund; 409 when it has ended already."""
    ordered = context.store.refund(reference)
    if not ordered:
        raise HTTPException(404, "no such refund")
    if not service.end_refund(context, ordered, end):
        raise HTTPException(409, "ended already")


@router.get("/deliveries")
async def list_deliveries(context: ContextDep) -> list[JsonObject]:
    """Webhooks and callbacks, newest first: tries, last outcome, and when the next try is due (Unix time)."""
    return context.store.deliveries()


@router.get("/behaviour")
async def read_behaviour(context: ContextDep) -> Behaviour:
    """The behaviour in force."""
    return behaviour_of(context)


@router.post("/behaviour")
async def change_behaviour(context: ContextDep, change: Behaviour) -> Behaviour:
    """Change the fields that are given, and leave the others."""
    return _save(context, behaviour_of(context).model_copy(update=change.model_dump(exclude_unset=True)))


@router.delete("/behaviour")
async def reset_behaviour(context: ContextDep) -> Behaviour:
    """Be honest and well again."""
    return _save(context, Behaviour())


def _save(context: Context, behaviour: Behaviour) -> Behaviour:
    with context.store.atomic():
        context.store.save_behaviour(behaviour.model_dump_json())
    context.work.set()  # webhooks may be on again
    return behaviour


def _shown(context: Context, transaction: Transaction) -> JsonObject:
    return {
        "tx_ref": transaction.tx_ref,
        "reference": transaction.reference,
        "status": transaction.status,
        "amount": wire.to_text(transaction.amount),
        "refunded": wire.to_text(context.store.refunded(transaction.tx_ref, RefundStatus.INITIATED)),
        "currency": transaction.currency,
        "email": transaction.request.get("email"),
        "checkout_url": f"{context.settings.public_url}/checkout/payment/{transaction.token}",
        "created_at": transaction.created_at,
        "updated_at": transaction.updated_at,
    }
