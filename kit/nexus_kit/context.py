"""Which request (or event) the current task works for: the ids that tie logs, events and mails together.

The app's middleware and the worker's reactions set them; logs, the outbox and outgoing calls read them.
"""

import re
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

REQUEST_ID: ContextVar[str | None] = ContextVar("request_id", default=None)
TRACEPARENT: ContextVar[str | None] = ContextVar("traceparent", default=None)

_SANE_REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{8,64}")
_TRACEPARENT = re.compile(r"00-(?!0{32})([0-9a-f]{32})-(?!0{16})[0-9a-f]{16}-([0-9a-f]{2})")


@contextmanager
def working_for(request_id: str | None, traceparent: str | None) -> Iterator[str]:
    """Bind both ids for the block and yield the request id; one that is missing or malformed is made anew."""
    chosen = request_id if request_id and _SANE_REQUEST_ID.fullmatch(request_id) else secrets.token_hex(16)
    outer = REQUEST_ID.set(chosen), TRACEPARENT.set(child_of(traceparent))
    try:
        yield chosen
    finally:
        REQUEST_ID.reset(outer[0])
        TRACEPARENT.reset(outer[1])


def child_of(traceparent: str | None) -> str:
    """Continue a W3C trace with a span of our own, or start one (https://www.w3.org/TR/trace-context/)."""
    match = _TRACEPARENT.fullmatch(traceparent or "")
    trace_id, flags = match.groups() if match else (secrets.token_hex(16), "01")
    return f"00-{trace_id}-{secrets.token_hex(8)}-{flags}"


def outgoing_headers() -> dict[str, str]:
    """The headers that carry both ids to the next service."""
    pairs = {"X-Request-Id": REQUEST_ID.get(), "traceparent": TRACEPARENT.get()}
    return {name: value for name, value in pairs.items() if value}
