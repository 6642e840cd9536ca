"""The Redis that may be lost at any time: when it does not answer, callers do without it, and do not wait to find out.

`app.create_app` makes one client; the cache and the rate limiter use it and treat every `RedisError` as "not today".
"""

import time
from contextlib import suppress
from typing import Any, Self

from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import TimeoutError as RedisTimeoutError

_PAUSE_SECONDS = 1.0
_CONNECTIONS = 500


class DisposableRedis(Redis):
    """A client with a circuit breaker: after a failure every command fails at once, but for one a second that tries."""

    _closed_until: float | None = None

    @classmethod
    def connect(cls, url: str) -> Self:
        """Retry once, at once: a restarted server leaves dead connections in the pool. Then it is a failure."""
        client = cls.from_url(
            url,
            max_connections=_CONNECTIONS,
            socket_timeout=0.5,
            socket_connect_timeout=0.25,
            retry=Retry(NoBackoff(), retries=1),
        )
        assert isinstance(client, cls)
        return client

    async def execute_command(self, *args: Any, **options: Any) -> Any:
        """Send a command, unless the server failed within the last second."""
        now = time.monotonic()
        if self._closed_until is not None:
            if now < self._closed_until:
                raise RedisConnectionError("the cache failed a moment ago")
            self._closed_until = now + _PAUSE_SECONDS  # this caller tries, the others still do without
        try:
            answer = await super().execute_command(*args, **options)  # type: ignore[no-untyped-call]
        except (RedisConnectionError, RedisTimeoutError):
            self._closed_until = time.monotonic() + _PAUSE_SECONDS
            raise
        self._closed_until = None
        return answer

    async def aclose(self, close_connection_pool: bool | None = None) -> None:
        """Close what can be closed soon: nobody waits for this server, not even to say goodbye."""
        with suppress(RedisTimeoutError):
            await super().aclose(close_connection_pool)
