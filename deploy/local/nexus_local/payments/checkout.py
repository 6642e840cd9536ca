"""The hosted page: the guest pays, fails or gives up, and is sent back to the merchant.

`checkout_url` of `initialize` leads here; `/` lists the payments. Plain pages: no script, no outside address.
"""

import base64
import hashlib
from html import escape
from pathlib import Path

from fastapi import APIRouter, HTTPException
from fastapi.responses import HTMLResponse, RedirectResponse

from nexus_local.payments import service, wire
from nexus_local.payments.context import Context, ContextDep
from nexus_local.payments.store import Status, Transaction

router = APIRouter()

STYLE = (Path(__file__).parent / "style.css").read_text(encoding="utf-8")
STYLE_HASH = base64.b64encode(hashlib.sha256(STYLE.encode()).digest()).decode()
ENDINGS = {
    Status.SUCCESS: "This payment is complete.",
    Status.FAILED: "This payment has failed.",
    Status.CANCELLED: "This payment was cancelled.",
    Status.REFUNDED: "This payment was given back.",
}


@router.get("/")
async def overview(context: ContextDep) -> HTMLResponse:
    """The latest payments, each with a link to its page."""
    rows = "".join(
        f'<li><a href="/checkout/payment/{transaction.token}">{_amount(transaction)}</a> {transaction.status}'
        f"<br><small>{escape(transaction.tx_ref)}</small></li>"
        for transaction in context.store.transactions()[:50]
    )
    return _page("Payments", f"<h1>Payments</h1><ul>{rows or '<li>None yet.</li>'}</ul>")


@router.get("/checkout/payment/{token}")
async def show(context: ContextDep, token: str) -> HTMLResponse:
    """The amount and three buttons, or how the payment ended."""
    transaction = _transaction(context, token)
    request = transaction.request
    custom = request.get("customization") or {}
    facts = {
        "For": custom.get("description"),
        "From": f"{request.get('first_name') or ''} {request.get('last_name') or ''}".strip(),
        "E-mail": request.get("email"),
        "Reference": transaction.tx_ref,
    }
    rows = "".join(f"<dt>{name}</dt><dd>{escape(str(value))}</dd>" for name, value in facts.items() if value)
    title = str(custom.get("title") or "Payment")
    body = f'<h1>{escape(title)}</h1><p class="amount">{_amount(transaction)}</p><dl>{rows}</dl>'
    back = request.get("return_url")
    return _page(f"Pay {title}", body + _actions(transaction, back), back)


@router.post("/checkout/payment/{token}/{outcome}")
async def choose(context: ContextDep, token: str, outcome: service.Outcome) -> RedirectResponse:
    """A button was pressed. Pressing twice changes nothing."""
    transaction = _transaction(context, token)
    service.settle(context, transaction.tx_ref, outcome)
    return RedirectResponse(transaction.request.get("return_url") or f"/checkout/payment/{token}", 303)


def _transaction(context: Context, token: str) -> Transaction:
    transaction = context.store.transaction("token", token)
    if not transaction:
        raise HTTPException(404, "no such payment")
    return transaction


def _actions(transaction: Transaction, back: str | None) -> str:
    if transaction.status is Status.PENDING:
        page = f"/checkout/payment/{transaction.token}"
        return f"""<form method="post" action="{page}/pay"><button class="pay">Pay</button>
<button formaction="{page}/fail">Fail</button><button formaction="{page}/abandon">Abandon</button></form>"""
    again = ""
    if transaction.status is Status.FAILED:
        again = (
            f'<form method="post" action="/checkout/payment/{transaction.token}/pay"><button>Try again</button></form>'
        )
    link = f' <a href="{escape(back)}">Back to the merchant</a>' if back else ""
    return f"<p>{ENDINGS[transaction.status]}{link}</p>{again}"


def _amount(transaction: Transaction) -> str:
    whole, _, cents = wire.to_text(transaction.amount).partition(".")
    return f"{int(whole):,}.{cents} <small>{escape(transaction.currency)}</small>"


def _page(title: str, body: str, return_url: str | None = None) -> HTMLResponse:
    # Browsers apply form-action to the redirect that answers the form, too.
    merchant = wire.WEB_ADDRESS.fullmatch(return_url or "")
    policy = (
        f"default-src 'none'; style-src 'sha256-{STYLE_HASH}'; base-uri 'none'; frame-ancestors 'none'; "
        f"form-action 'self' {merchant['origin'] if merchant else ''}"
    )
    content = f"""<!doctype html><html lang="en"><head><meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1"><title>{escape(title)}</title>
<style>{STYLE}</style></head><body><main><p class="note">Payment simulator: no real money moves.</p>
{body}</main></body></html>"""
    headers = {
        "Content-Security-Policy": policy,
        "X-Content-Type-Options": "nosniff",
        "Referrer-Policy": "no-referrer",
        "Cache-Control": "no-store",
    }
    return HTMLResponse(content, headers=headers)
