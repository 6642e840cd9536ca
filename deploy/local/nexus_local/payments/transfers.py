"""Chapa's transfers: the merchant sends money from its balance to a bank account. What bookings pays hosts with.

A transfer is queued, and has arrived when its webhook goes out, at once; to an account whose number ends in 0000 it
fails, and a lever sends back what has arrived. `app` includes the routers.
"""

import json
from uuid import uuid4

from fastapi import APIRouter, Depends, HTTPException, Request

from nexus_local.payments import service, wire
from nexus_local.payments.behaviour import behaviour_of, may_fail
from nexus_local.payments.chapa import authenticated, body_of
from nexus_local.payments.context import Context, ContextDep
from nexus_local.payments.errors import ChapaError
from nexus_local.payments.store import Delivery, JsonObject, Transfer, now

BANKS = {
    130: ("Abay Bank", "ABAYETAA", 16),
    656: ("Awash Bank", "AWINETAA", 14),
    946: ("Commercial Bank of Ethiopia (CBE)", "CBETETAA", 13),
    855: ("telebirr", "TELEBIRR", 10),
}
"""Name, SWIFT code and length of an account number, by the id that `bank_code` names."""
FEE_PER_MILLE = 15
ACCOUNT = ("account_name", "account_number", "bank_code")

router = APIRouter(prefix="/v1", dependencies=[Depends(authenticated)])
levers = APIRouter(prefix="/simulator")


@router.get("/banks")
async def banks() -> JsonObject:
    """Where money can be sent. The answer has no `status`, as Chapa's has none."""
    data = [
        {"id": code, "name": name, "swift": swift, "acct_length": length, "currency": "ETB", "is_active": 1}
        for code, (name, swift, length) in BANKS.items()
    ]
    return {"message": "Banks retrieved", "data": data}


@router.post("/transfers", dependencies=[may_fail("transfer")])
async def transfer(context: ContextDep, request: Request) -> JsonObject:
    """Send money to a bank. A `reference` is taken once."""
    body = await _account_of(request, "amount", "currency", "reference")
    amount = wire.to_minor(body["amount"])
    if amount is None:
        raise ChapaError(400, {"amount": ["validation.numeric"]})
    if body["currency"] != "ETB":
        raise ChapaError(400, f"Invalid currency, {body['currency']} is not supported")
    if behaviour_of(context).transfer == "refused":
        raise ChapaError(400, f"The account {body['account_number']} of {body['account_name']} cannot be credited")
    sent = Transfer(
        reference=str(body["reference"]),
        chapa_reference=str(uuid4()),
        status="failed/cancelled" if str(body["account_number"]).endswith("0000") else "success",
        account_name=str(body["account_name"]),
        account_number=str(body["account_number"]),
        bank_code=int(body["bank_code"]),
        amount=amount,
        charge=(amount * FEE_PER_MILLE + 500) // 1000,
        currency=body["currency"],
        created_at=now(),
    )
    with context.store.atomic():
        if not context.store.add_transfer(sent):
            raise ChapaError(400, {"reference": ["The reference has already been taken."]})
        _owe_webhook(context, sent)
    context.work.set()
    return {"message": "Transfer Queued Successfully", "status": "success", "data": sent.reference}


@router.post("/subaccount")
async def create_subaccount(request: Request) -> JsonObject:
    """Somebody who gets a share of payments. Here nobody does: the account has a name to pay with, and that is all."""
    body = await _account_of(request, "business_name", "split_type", "split_value")
    if body["split_type"] not in ("percentage", "flat"):
        raise ChapaError(400, {"split_type": ["The selected split type is invalid."]})
    return {
        "message": "Subaccount created successfully",
        "status": "success",
        "data": {"subaccounts[id]": str(uuid4())},
    }


@router.get("/transfers/verify/{reference}", dependencies=[may_fail("verify")])
async def verify(context: ContextDep, reference: str) -> JsonObject:
    """The truth about a transfer."""
    found = context.store.transfer(reference)
    if found is None:
        raise ChapaError(404, "Transfer not found")
    data = {
        "account_name": found.account_name,
        "account_number": found.account_number,
        "mobile": None,
        "currency": found.currency,
        "amount": wire.to_number(found.amount),
        "charge": wire.to_number(found.charge),
        "mode": behaviour_of(context).mode_override or "test",
        "transfer_method": "bank",
        "narration": None,
        "chapa_transfer_id": found.chapa_reference,
        "bank_code": found.bank_code,
        "bank_name": BANKS[found.bank_code][0],
        "cross_party_reference": None,
        "ip_address": "UNKNOWN",
        "status": found.status,
        "tx_ref": found.reference,
        "created_at": found.created_at,
        "updated_at": found.created_at,
    }
    return {"message": "Transfer details", "status": "success", "data": data}


@levers.get("/transfers")
async def list_transfers(context: ContextDep) -> list[JsonObject]:
    """Every transfer, newest first."""
    return [_webhook(transfer) for transfer in context.store.transfers()]


@levers.post("/transfers/{reference}/reverse", status_code=204)
async def reverse(context: ContextDep, reference: str) -> None:
    """The bank sends back what had arrived; 409 when it had not."""
    with context.store.atomic():
        if not context.store.reverse_transfer(reference):
            raise HTTPException(409, "it has not arrived")
        transfer = context.store.transfer(reference)
        assert transfer
        _owe_webhook(context, transfer)
    context.work.set()


async def _account_of(request: Request, *more: str) -> JsonObject:
    """A body that names a bank account, and `more`."""
    body = await body_of(request)
    if missing := {name: ["validation.required"] for name in (*ACCOUNT, *more) if not body.get(name)}:
        raise ChapaError(400, missing)
    if not str(body["bank_code"]).isdigit() or int(body["bank_code"]) not in BANKS:
        raise ChapaError(400, {"bank_code": ["The selected bank code is invalid."]})
    return body


def _owe_webhook(context: Context, transfer: Transfer) -> None:
    body = json.dumps(_webhook(transfer))
    service.owe(context, Delivery("POST", context.settings.webhook_url, body, context.settings.attempts))


def _webhook(transfer: Transfer) -> JsonObject:
    """The body of a webhook about a transfer: it names the merchant's `reference`, and no `tx_ref`."""
    return {
        "event": f"payout.{transfer.status}",
        "type": "Payout",
        "account_name": transfer.account_name,
        "account_number": transfer.account_number,
        "bank_id": transfer.bank_code,
        "bank_name": BANKS[transfer.bank_code][0],
        "amount": wire.to_text(transfer.amount),
        "charge": wire.to_text(transfer.charge),
        "currency": transfer.currency,
        "status": transfer.status,
        "reference": transfer.reference,
        "chapa_reference": transfer.chapa_reference,
        "bank_reference": None,
        "created_at": transfer.created_at,
        "updated_at": transfer.created_at,
    }
