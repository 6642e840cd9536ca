"""A tiny service behind the gateway, which tells what reached it and misbehaves when its address says so.

`conftest.py` runs it in uvicorn, as production runs the services. All answers are JSON, but for `drop`.

    ?status=503    a problem document of its own with that status     ?slow=5      answers after so many seconds
    ?cache=…       sets Cache-Control                                 ?drop=1      reads the request, then hangs up
    ?big=5000      a page of that many bytes
"""

import asyncio
import json
from typing import Any
from urllib.parse import parse_qs

from starlette.types import Receive, Scope, Send


class Upstream:
    """An ASGI application that remembers the requests it was sent."""

    def __init__(self) -> None:
        self.requests: list[tuple[str, str]] = []
        """Method and raw path of every request, in order."""
        self.version = 1
        """What its pages show; a test raises it as a write would."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            return
        query = {name: values[-1] for name, values in parse_qs(scope["query_string"].decode()).items()}
        body = await _body(receive)
        self.requests.append((scope["method"], scope["raw_path"].decode()))
        if "drop" in query:
            scope["extensions"]["test.transport"].close() if "test.transport" in scope.get("extensions", {}) else None
            raise ConnectionAbortedError
        version = self.version
        await asyncio.sleep(float(query.get("slow", 0)))
        await _answer(send, query, self._document(scope, query, body, version))

    def _document(self, scope: Scope, query: dict[str, str], body: bytes, version: int) -> dict[str, Any]:
        if "status" in query:
            return {"type": "/problems/of_the_service", "status": int(query["status"]), "code": "of_the_service"}
        headers = [(name.decode(), value.decode()) for name, value in scope["headers"]]
        return {
            "method": scope["method"],
            "path": scope["raw_path"].decode(),
            "query": scope["query_string"].decode(),
            "headers": headers,
            "body": len(body),
            "version": version,
            "count": len(self.requests),
            "padding": "x" * int(query.get("big", 0)),
        }


async def _body(receive: Receive) -> bytes:
    body, more = b"", True
    while more:
        message = await receive()
        body += message.get("body", b"")
        more = message.get("more_body", False)
    return body


async def _answer(send: Send, query: dict[str, str], document: dict[str, Any]) -> None:
    status = int(query.get("status", 200))
    headers = {
        "content-type": "application/problem+json" if status >= 400 else "application/json",
        "x-request-id": "the-service-sets-one-too",
        "etag": f'"{document.get("version")}"',
    }
    if "cache" in query:
        headers["cache-control"] = query["cache"]
    payload = json.dumps(document).encode()
    headers["content-length"] = str(len(payload))
    encoded = [(name.encode(), value.encode()) for name, value in headers.items()]
    await send({"type": "http.response.start", "status": status, "headers": encoded})
    await send({"type": "http.response.body", "body": payload})
