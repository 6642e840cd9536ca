"""A tiny service behind the gateway, which tells what reached it and misbehaves when the query says so.

`conftest.py` runs it in uvicorn, as production runs the services.

    ?status=503    a problem document of its own       ?slow=0.5    answers after so many seconds
    ?cache=…       sets Cache-Control                  ?vary=…      sets Vary
    ?cached=…      sets Cache-Status
"""

import asyncio
import json
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import parse_qs

import uvicorn
from nexus_kit.protocol import HttpProtocol
from starlette.types import Receive, Scope, Send


class Upstream:
    """An ASGI application that remembers the requests it was sent."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.port = 0
        self.requests: list[str] = []
        """`GET /path` of every request, in order."""
        self.version = 1
        """What its pages show; every successful write raises it."""

    @property
    def address(self) -> str:
        """As the gateway's variables take it."""
        return f"127.0.0.1:{self.port}"

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        query = {name: values[-1] for name, values in parse_qs(scope["query_string"].decode()).items()}
        self.requests.append(f"{scope['method']} {scope['raw_path'].decode()}")
        body = await _body(receive)
        status = int(query.get("status", 200))
        if scope["method"] not in {"GET", "HEAD"} and status < 300:
            self.version += 1
        page = _problem(status) if status >= 400 else self._echo(scope, body)
        await asyncio.sleep(float(query.get("slow", 0)))
        await _answer(send, status, page, {name: query[name] for name in ("cache", "cached", "vary") if name in query})

    def _echo(self, scope: Scope, body: bytes) -> dict[str, Any]:
        return {
            "service": self.name,
            "path": scope["raw_path"].decode(),
            "query": scope["query_string"].decode(),
            "headers": [(name.decode(), value.decode()) for name, value in scope["headers"]],
            "body": len(body),
            "version": self.version,
        }


def _problem(status: int) -> dict[str, Any]:
    return {"type": "/problems/of_the_service", "status": status, "code": "of_the_service"}


async def _body(receive: Receive) -> bytes:
    body, more = b"", True
    while more:
        message = await receive()
        body += message.get("body", b"")
        more = message.get("more_body", False)
    return body


async def _answer(send: Send, status: int, page: dict[str, Any], asked: dict[str, str]) -> None:
    payload = json.dumps(page).encode()
    headers = {
        "content-type": "application/problem+json" if status >= 400 else "application/json",
        "content-length": str(len(payload)),
        "x-request-id": "the-service-sets-one-too",
        "x-frame-options": "the-service-sets-one-too",
        "etag": f'"{page.get("version")}"',
    }
    if "cache" in asked:
        headers["cache-control"] = asked["cache"]
    if "cached" in asked:
        headers["cache-status"] = asked["cached"]
    if "vary" in asked:
        headers["vary"] = asked["vary"]
    encoded = [(name.encode(), value.encode()) for name, value in headers.items()]
    await send({"type": "http.response.start", "status": status, "headers": encoded})
    await send({"type": "http.response.body", "body": payload})


@asynccontextmanager
async def serving(upstream: Upstream) -> AsyncIterator[Upstream]:
    """Run it on its port (any free one, at first) until the block ends."""
    listener = socket.create_server(("127.0.0.1", upstream.port))
    upstream.port = listener.getsockname()[1]
    config = uvicorn.Config(
        upstream,
        http=HttpProtocol,
        lifespan="off",
        ws="none",
        access_log=False,
        log_config=None,
        timeout_keep_alive=75,
    )
    server = uvicorn.Server(config)
    task = asyncio.create_task(server._serve(sockets=[listener]))  # `serve` would take over pytest's signals
    try:
        yield upstream
    finally:
        server.should_exit = server.force_exit = True
        await task
        listener.close()
