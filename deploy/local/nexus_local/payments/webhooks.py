"""The webhook sender: every delivery owed is tried until it is answered with a 2xx or was tried often enough.

`app` runs `deliver` as long as it serves.
"""

import asyncio
import hashlib
import hmac
import logging
import time
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from urllib.parse import urlsplit

from nexus_local.payments.behaviour import Behaviour, behaviour_of
from nexus_local.payments.context import Context
from nexus_local.payments.store import Delivery

ANSWER_SECONDS = 5
log = logging.getLogger("nexus.payments")


async def deliver(context: Context) -> None:
    """Deliver what is due, then sleep until something is; for ever."""
    while True:
        context.work.clear()
        behaviour = behaviour_of(context)
        next_due = None
        if behaviour.webhooks == "on":
            due = context.store.due(time.time())
            if behaviour.order == "newest_first":
                for owed in reversed(due):
                    await _try(context, behaviour, owed)
            else:
                await asyncio.gather(*(_try(context, behaviour, owed) for owed in due))
            next_due = context.store.next_due()
        try:
            async with asyncio.timeout(None if next_due is None else max(0.0, next_due - time.time())):
                await context.work.wait()
        except TimeoutError:
            continue


def signatures(secret: str, body: bytes, behaviour: Behaviour) -> dict[str, str]:
    """Chapa's two headers: over the body, and one that is the same for every request and so proves nothing."""
    constant = {"chapa-signature": _sign(secret, secret.encode())}
    match behaviour.signature:
        case "right":
            return {"x-chapa-signature": _sign(secret, body), **constant}
        case "wrong":
            return {"x-chapa-signature": _sign("somebody else's secret", body), **constant}
        case "constant":
            return constant


async def _try(context: Context, behaviour: Behaviour, owed: Delivery) -> None:
    body = owed.body.encode()
    headers = {"User-Agent": "Chapa simulator"}
    if owed.method == "POST":
        headers |= {"Content-Type": "application/json", **signatures(context.settings.webhook_secret, body, behaviour)}
    try:
        status = await asyncio.to_thread(_request, owed, body, headers)
        outcome, done = str(status), 200 <= status < 300
    except (OSError, HTTPException) as problem:
        outcome, done = f"{type(problem).__name__}: {problem}", False
    given_up = not done and owed.attempts + 1 >= owed.max_attempts
    due_at = None if done or given_up else time.time() + context.settings.retry_seconds
    with context.store.atomic():
        context.store.record_attempt(owed, outcome, due_at)
    log.log(
        logging.ERROR if given_up else logging.INFO,
        "%s %s, try %d: %s",
        owed.method,
        owed.url,
        owed.attempts + 1,
        f"{outcome}, given up" if given_up else outcome,
    )


def _request(owed: Delivery, body: bytes, headers: dict[str, str]) -> int:
    """Send it and return the status; redirects are not followed."""
    url = urlsplit(owed.url)
    connection_type = HTTPSConnection if url.scheme == "https" else HTTPConnection
    connection = connection_type(url.hostname or "", url.port, timeout=ANSWER_SECONDS)
    try:
        target = (url.path or "/") + (f"?{url.query}" if url.query else "")
        connection.request(owed.method, target, body or None, headers)
        return connection.getresponse().status
    finally:
        connection.close()


def _sign(secret: str, content: bytes) -> str:
    return hmac.new(secret.encode(), content, hashlib.sha256).hexdigest()
