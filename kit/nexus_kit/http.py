"""Calls to another service's internal routes: signed, timed, traced, and retried where that is safe.

bookings asks listings and auth with it; the worker delivers events with it.
"""

from types import TracebackType
from typing import Any, Self

import httpx
import stamina

from nexus_kit import context
from nexus_kit.errors import UpstreamUnavailable
from nexus_kit.tokens import mint_service_token

_TIMEOUT = httpx.Timeout(5.0, connect=1.0)
_SAFE = {"GET", "HEAD"}


class _Overloaded(Exception):
    """The service answered that it cannot serve now."""


class ServiceClient:
    """A client of one service (`audience`), used by another (`caller`)."""

    def __init__(self, base_url: str, *, caller: str, audience: str, secret: str) -> None:
        self._client = httpx.AsyncClient(base_url=base_url, timeout=_TIMEOUT)
        self._caller, self._audience, self._secret = caller, audience, secret

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: type[BaseException] | BaseException | TracebackType | None) -> None:
        await self._client.aclose()

    async def request(self, method: str, path: str, **kwargs: Any) -> httpx.Response:
        """Send one request and answer whatever came back, errors below 502 included.

        A call that cannot have taken effect (never connected, or a safe method) is tried up to 3 times. Raises
        `UpstreamUnavailable` when the service does not answer or says that it cannot.
        """
        retried: tuple[type[Exception], ...] = (httpx.ConnectError, httpx.ConnectTimeout)
        if method in _SAFE:
            retried = (httpx.TransportError, _Overloaded)
        try:
            async for attempt in stamina.retry_context(on=retried, attempts=3, wait_initial=0.1, wait_max=0.5):
                with attempt:
                    return await self._send(method, path, kwargs)
        except (httpx.TransportError, _Overloaded) as exc:
            raise UpstreamUnavailable(f"{self._audience} does not answer.") from exc
        raise AssertionError("unreachable: the last attempt returns or raises")

    async def _send(self, method: str, path: str, kwargs: dict[str, Any]) -> httpx.Response:
        token = mint_service_token(self._secret, caller=self._caller, audience=self._audience)
        headers = {"Authorization": f"Bearer {token}", **context.outgoing_headers(), **kwargs.get("headers", {})}
        answer = await self._client.request(method, path, **{**kwargs, "headers": headers})
        if answer.status_code in (502, 503, 504):
            raise _Overloaded(answer.status_code)
        return answer
