"""Chapa's JSON: how a transaction looks in `verify` and in a webhook, and how amounts are written.

`chapa` and `service` use it. Field names, types and their order are those of Chapa's documentation.
"""

import json
import re
from decimal import Decimal, InvalidOperation
from typing import Any

from nexus_local.payments.behaviour import Behaviour, told
from nexus_local.payments.store import JsonObject, Refund, Transaction

METHOD = "telebirr"
SMALLEST_UNITS = Decimal(100)
WEB_ADDRESS = re.compile(r"(?P<origin>https?://[A-Za-z0-9.-]+(:[0-9]{1,5})?)([/?#][!-~]*)?")


def to_minor(amount: object) -> int | None:
    """`"400.00"`, `"400"` or `400` as 40000; None unless it is a positive amount with at most two decimals."""
    try:
        minor = Decimal(str(amount)) * SMALLEST_UNITS
        return int(minor) if minor > 0 and minor == minor.to_integral_value() else None
    except (InvalidOperation, OverflowError):
        return None


def to_text(minor: int) -> str:
    """40000 as `400.00`, the way webhooks write amounts."""
    return f"{minor // 100}.{minor % 100:02}"


def to_number(minor: int) -> int | float:
    """40000 as 400 and 350 as 3.5: `verify` writes amounts as JSON numbers."""
    return minor // 100 if minor % 100 == 0 else float(to_text(minor))


def verified(transaction: Transaction, behaviour: Behaviour) -> JsonObject:
    """The `data` of `verify`."""
    facts = told(transaction, behaviour)
    request = transaction.request
    return {
        "first_name": request.get("first_name"),
        "last_name": request.get("last_name"),
        "email": request.get("email"),
        "phone_number": request.get("phone_number"),
        "currency": facts["currency"],
        "amount": to_number(facts["amount"]),
        "charge": to_number(transaction.charge),
        "mode": facts["mode"],
        "method": METHOD,
        "type": "API",
        "status": transaction.status,
        "reference": transaction.reference,
        "tx_ref": facts["tx_ref"],
        "customization": _customization(request),
        "meta": request.get("meta"),
        "created_at": transaction.created_at,
        "updated_at": transaction.updated_at,
    }


def webhook(
    transaction: Transaction, behaviour: Behaviour, event: str, status: str, refund: Refund | None = None
) -> str:
    """The body of a webhook: flat JSON, amounts as text. It has no event id and no time of sending."""
    facts = told(transaction, behaviour)
    request = transaction.request
    body: dict[str, Any] = {
        "event": event,
        "first_name": request.get("first_name") or "",
        "last_name": request.get("last_name") or "",
        "email": request.get("email"),
        "mobile": request.get("phone_number"),
        "currency": facts["currency"],
        "amount": to_text(refund.amount if refund else facts["amount"]),
        "charge": to_text(transaction.charge),
        "status": status,
        "mode": facts["mode"],
        "reference": transaction.reference,
        "created_at": transaction.created_at,
        "updated_at": transaction.updated_at,
        "type": "API",
        "tx_ref": facts["tx_ref"],
        "payment_method": METHOD,
        "customization": _customization(request),
        "meta": refund.meta or None if refund else request.get("meta"),
    }
    return json.dumps(body)


def refunded(refund: Refund, transaction: Transaction, status: str) -> JsonObject:
    """The `data` of a refund."""
    return {
        "amount": to_number(refund.amount),
        "currency": transaction.currency,
        "ref_id": refund.ref_id,
        "payment_reference": transaction.reference,
        "merchant_reference": refund.reference,
        "reason": refund.reason,
        "meta": refund.meta or None,
        "status": status,
        "created_at": refund.created_at,
    }


def _customization(request: JsonObject) -> JsonObject:
    given = request.get("customization") or {}
    return {name: given.get(name) for name in ("title", "description", "logo")}
