"""The one ASGI middleware: request id, trace, trailing slash, body limit, metrics, log line, last resort for errors.

Plain ASGI because it runs on every request, hot cache hits included.
"""

import time
from typing import Any

import structlog
from prometheus_client import Histogram
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from nexus_kit import context
from nexus_kit.errors import InternalError
from nexus_kit.problems import render

MEBIBYTE = 1024 * 1024
MAX_BODY_BYTES = MEBIBYTE
_ALLOWED = "nexus.max_body_bytes"

log = structlog.get_logger(__name__)

_DURATION = Histogram(
    "http_request_duration_seconds",
    "Time from the first byte of a request to the last byte of its answer.",
    ["method", "route", "status"],
    buckets=(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10),
)


def allow_body(scope: Scope, most: int) -> None:
    """Let this request's body have so many bytes: for a route that takes files, before it reads the first of them."""
    scope[_ALLOWED] = most


class RequestContext:
    """Wraps the whole application."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request under its ids; anything but HTTP passes through."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        headers = dict(scope["headers"])
        if len(scope["path"]) > 1 and scope["path"].endswith("/"):
            scope["path"] = scope["path"].rstrip("/") or "/"
        ids = _text(headers.get(b"x-request-id")), _text(headers.get(b"traceparent"))
        with context.working_for(*ids) as request_id:
            await self._serve(scope, _limited(scope, receive), send, request_id.encode())

    async def _serve(self, scope: Scope, receive: Receive, send: Send, request_id: bytes) -> None:
        started = time.perf_counter()
        status = 0

        async def send_with_id(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message["headers"] = [*message["headers"], (b"x-request-id", request_id)]
            await send(message)

        try:
            await self.app(scope, receive, send_with_id)
        except Exception:
            log.exception("request failed", method=scope["method"], path=scope["path"])
            if status:  # the answer has begun: nothing can be said any more
                raise
            await render(InternalError())(scope, receive, send_with_id)
        finally:
            _record(scope, status, time.perf_counter() - started)


def _limited(scope: Scope, receive: Receive) -> Receive:
    """Refuse a body once it is known to be too large. HTTPException, since FastAPI makes any other error a 400."""
    seen = 0

    async def receive_limited() -> Message:
        nonlocal seen
        message = await receive()
        seen += len(message.get("body", b""))
        if seen > (most := scope.get(_ALLOWED, MAX_BODY_BYTES)):
            raise HTTPException(413, f"A request body may have {most // MEBIBYTE} MiB.")
        return message

    return receive_limited


def _record(scope: Scope, status: int, seconds: float) -> None:
    route: Any = scope.get("route")
    path = getattr(route, "path_format", None) or "unmatched"
    _DURATION.labels(scope["method"], path, status).observe(seconds)
    # Successful reads stand in the gateway's access log; a second line for each would cost more than the cache hit.
    if scope["method"] not in ("GET", "HEAD") or status >= 400:
        log.info(
            "request",
            method=scope["method"],
            path=scope["path"],
            status=status,
            ms=round(seconds * 1000, 1),
        )


def _text(value: bytes | None) -> str | None:
    return value.decode("latin-1") if value is not None else None
