"""The object store: what is too large for a row of a database, in a local folder or in S3, as one URL says.

listings and the worker open it by their setting `NEXUS_PHOTOS_URL`:

    file:///var/lib/nexus/photos    a folder; it is made when it is missing
    s3://bucket/prefix              S3 or what speaks like it, told by AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY,
                                    AWS_REGION and AWS_ENDPOINT_URL, or by the machine's own role
"""

from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from obstore.exceptions import BaseError
from obstore.store import from_url

from nexus_kit.errors import Unavailable

if TYPE_CHECKING:
    from obstore import GetResult, ObjectMeta

_PAGE = 1000

# The library's own patience is three minutes; whoever waits for us has left by then. Whoever writes http:// means it.
_IMPATIENT: dict[str, Any] = {
    "client_options": {"connect_timeout": "2s", "timeout": "10s", "allow_http": True},
    "retry_config": {"max_retries": 2, "retry_timeout": timedelta(seconds=10)},
}


class Objects:
    """One store. Every method raises `Unavailable` when it does not answer, is full, or may not be written to."""

    def __init__(self, url: str) -> None:
        options = {"mkdir": True, "automatic_cleanup": True} if url.startswith("file:") else {}
        self._store = from_url(url, **(_IMPATIENT if url.startswith("s3:") else options))

    async def put(self, key: str, content: bytes) -> None:
        """Store it whole or not at all, over what was there."""
        with _answering():
            await self._store.put_async(key, content)

    async def get(self, key: str) -> "GetResult | None":
        """The object, whose bytes are yet to be read; None when there is none."""
        try:
            with _answering():
                return await self._store.get_async(key)
        except FileNotFoundError:
            return None

    async def read(self, key: str) -> bytes | None:
        """The bytes of a small object; None when there is none."""
        found = await self.get(key)
        if found is None:
            return None
        with _answering():
            return bytes(await found.bytes_async())

    async def remove(self, keys: Sequence[str]) -> None:
        """Remove these; what is not there is no error."""
        for key in keys:
            try:
                with _answering():
                    await self._store.delete_async(key)
            except FileNotFoundError:
                continue

    async def pages(self) -> "AsyncIterator[Sequence[ObjectMeta]]":
        """All there is, in no particular order, some hundreds at a time."""
        with _answering():
            async for page in self._store.list(chunk_size=_PAGE):
                yield page


@contextmanager
def _answering() -> Iterator[None]:
    try:
        yield
    except FileNotFoundError:
        raise
    except (BaseError, OSError) as exc:
        raise Unavailable("The object store does not answer.") from exc
