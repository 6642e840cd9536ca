"""Chapa's API v1: what the bookings service calls. Status codes and messages are those of Chapa's documentation.

The merchant authenticates with `Authorization: Bearer <secret key>`.
"""

import hmac
import json
import re
from typing import Annotated
from urllib.parse import parse_qsl

from fastapi import APIRouter, Depends, Header, Request

from nexus_local.payments import service, wire
from nexus_local.payments.behaviour import behaviour_of, may_fail
from nexus_local.payments.context import ContextDep
from nexus_local.payments.errors import ChapaError
from nexus_local.payments.store import JsonObject, Status

CURRENCIES = {"ETB", "USD"}
EMAIL = re.compile(r"[^@\s]+@[^@\s]+\.[^@\s]+")
NESTED = re.compile(r"(\w+)\[(.+)\]")
LONGEST_TITLE = 16


def authenticated(context: ContextDep, authorization: Annotated[str, Header()] = "") -> None:
    """Only the merchant, by its secret key."""
    if not authorization:
        raise ChapaError(401, "Authorization required")
    if not hmac.compare_digest(authorization.encode(), f"Bearer {context.settings.secret_key}".encode()):
        raise ChapaError(401, "Invalid API Key or User doesn't exist")


router = APIRouter(prefix="/v1", dependencies=[Depends(authenticated)])


@router.post("/transaction/initialize", dependencies=[may_fail("initialize")])
async def initialize(context: ContextDep, request: Request) -> JsonObject:
    """Start a payment; the guest pays at `checkout_url`."""
    body = await body_of(request)
    if problems := _problems(body):
        raise ChapaError(400, problems)
    if body["currency"] not in CURRENCIES:
        raise ChapaError(400, f"Invalid currency, {body['currency']} is not supported")
    amount = wire.to_minor(body["amount"])
    assert amount
    transaction = service.initialize(context, body, amount)
    if not transaction:
        raise ChapaError(400, "Transaction reference has been used before")
    url = f"{context.settings.public_url}/checkout/payment/{transaction.token}"
    return {"message": "Hosted Link", "status": "success", "data": {"checkout_url": url}}


@router.get("/transaction/verify/{tx_ref}", dependencies=[may_fail("verify")])
async def verify(context: ContextDep, tx_ref: str) -> JsonObject:
    """The truth about a payment. The outer `status` is about the call, `data.status` about the payment."""
    transaction = context.store.transaction("tx_ref", tx_ref)
    if not transaction:
        raise ChapaError(404, "Invalid transaction or Transaction not found")
    behaviour = behaviour_of(context)
    if behaviour.verify == "not_paid" and transaction.status is Status.PENDING:
        raise ChapaError(404, "Payment not paid yet", status=None)
    return {"message": "Payment details", "status": "success", "data": wire.verified(transaction, behaviour)}


@router.post("/refund/{payment}", dependencies=[may_fail("refund")])
async def refund(context: ContextDep, request: Request, payment: str) -> JsonObject:
    """Give money back, all of what is left unless `amount` says less. `payment` is our reference or the merchant's."""
    transaction = context.store.transaction("reference", payment) or context.store.transaction("tx_ref", payment)
    if not transaction:
        raise ChapaError(404, "Invalid transaction or Transaction not found")
    if transaction.status not in {Status.SUCCESS, Status.REFUNDED}:
        raise ChapaError(400, "Payment not paid yet")
    form = await body_of(request)
    left = transaction.amount - context.store.refunded(transaction.tx_ref)
    amount = wire.to_minor(form["amount"]) if form.get("amount") else left
    if not amount or amount > left:
        raise ChapaError(400, "Refund amount cannot exceed the full transaction amount or be less than 0")
    given_back = service.refund(context, transaction, amount, form)
    if not given_back:
        raise ChapaError(400, {"reference": ["The reference has already been taken."]})
    data = wire.refunded(given_back, transaction, "initiated")
    return {"message": "Refund initiated successfully", "status": "success", "data": data}


@router.get("/refund/{reference}/verify", dependencies=[may_fail("verify")])
async def verify_refund(context: ContextDep, reference: str) -> JsonObject:
    """What became of a refund."""
    given_back = context.store.refund(reference)
    transaction = context.store.transaction("tx_ref", given_back.tx_ref) if given_back else None
    if not given_back or not transaction:
        raise ChapaError(404, "Refund not found")
    data = wire.refunded(given_back, transaction, given_back.status)
    return {"message": "Refund details", "status": "success", "data": data}


async def body_of(request: Request) -> JsonObject:
    """JSON, or a form, which Chapa takes too and its libraries send: there `meta[key]` makes an object."""
    kind = request.headers.get("content-type", "").partition(";")[0]
    content = await request.body()
    if kind == "application/json":
        try:
            body = json.loads(content)
        except ValueError:
            body = None
        return body if isinstance(body, dict) else {}
    if kind == "application/x-www-form-urlencoded":
        return _nested(parse_qsl(content.decode(errors="replace")))
    if request.url.path.endswith("/initialize"):
        raise ChapaError(
            400, "Incorrect header settings Please check if content-type is present and set to application/json"
        )
    return {}


def _nested(fields: list[tuple[str, str]]) -> JsonObject:
    body: JsonObject = {}
    for name, value in fields:
        if inner := NESTED.fullmatch(name):
            body.setdefault(inner[1], {})[inner[2]] = value
        else:
            body[name] = value
    return body


def _problems(body: JsonObject) -> dict[str, list[str]]:
    """What Chapa's validation says of an `initialize` body; empty if it is fine."""
    problems: dict[str, list[str]] = {}
    for name in ("amount", "currency", "tx_ref"):
        if not body.get(name):
            problems[name] = ["validation.required"]
        elif name != "amount" and not isinstance(body[name], str):
            problems[name] = ["validation.string"]
    if "amount" not in problems and wire.to_minor(body["amount"]) is None:
        problems["amount"] = ["validation.numeric"]
    if body.get("email") and not EMAIL.fullmatch(str(body["email"])):
        problems["email"] = ["validation.email"]
    for name in ("callback_url", "return_url"):
        if body.get(name) and not wire.WEB_ADDRESS.fullmatch(str(body[name])):
            problems[name] = ["validation.url"]
    return problems | _customization_problems(body.get("customization") or {})


def _customization_problems(customization: object) -> dict[str, list[str]]:
    if not isinstance(customization, dict):
        return {"customization": ["validation.array"]}
    problems = {}
    if len(str(customization.get("title") or "")) > LONGEST_TITLE:
        problems["customization.title"] = [f"The customization.title must not exceed {LONGEST_TITLE} characters."]
    if not re.fullmatch(r"[\w\s.-]*", str(customization.get("description") or "")):
        problems["customization.description"] = [
            "The customization.description may only contain letters, numbers, hyphens, underscores, spaces, and dots."
        ]
    return problems
