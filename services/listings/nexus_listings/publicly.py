"""What everybody may read: answers kept as bytes in the cache, and thrown away together whenever a listing changes.

The public routes answer with `Public`; `forget_pages` is called by whatever changes what they show.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from hashlib import blake2b
from typing import Annotated

from fastapi import APIRouter, Depends, FastAPI, Request, Response
from nexus_kit.cache import Cache
from nexus_kit.conditional import Conditional
from nexus_kit.db import after_commit
from nexus_kit.schemas import Resource
from pydantic import BaseModel, Field
from sqlalchemy.ext.asyncio import AsyncSession

NAMESPACES = ("categories", "listings", "search")
SECONDS = 60
"""How long an answer may be used. Not what keeps it true: that is `forget_pages`, unless a crash comes in between."""

# The gateway may repeat an anonymous answer for a second; a browser asks each time, and mostly hears 304.
_HEADERS = {"Cache-Control": "public, max-age=0, s-maxage=1", "Vary": "Accept-Encoding"}


@asynccontextmanager
async def public_cache(app: FastAPI) -> AsyncIterator[None]:
    """The lifespan of the cache. Every session knows it, so that a change made anywhere reaches it."""
    cache = Cache(app.state.runtime.cache)
    app.state.cache = cache

    async def forget() -> None:
        await asyncio.gather(*(cache.invalidate(namespace) for namespace in NAMESPACES))

    app.state.runtime.database.sessions.configure(info={"forget_pages": forget})
    yield


def forget_pages(session: AsyncSession) -> None:
    """Once this transaction is committed, and before its caller hears of it, no stored answer is used again."""
    after_commit(session, session.info["forget_pages"])


def cache_of(request: Request) -> Cache:
    """The dependency behind `CacheDep`."""
    found: Cache = request.app.state.cache
    return found


CacheDep = Annotated[Cache, Depends(cache_of)]


class _Nothing(Exception):
    """There is nothing public under this key; that is not worth a place in the cache."""


class Public:
    """Answers one request from the cache, or computes the answer and keeps it."""

    def __init__(self, cache: CacheDep, conditions: Conditional) -> None:
        self._cache = cache
        self._conditions = conditions

    async def answer(
        self, namespace: str, key: str, compute: Callable[[], Awaitable[BaseModel | None]]
    ) -> Response | None:
        """The stored bytes with their ETag, or 304; None if there is nothing public. A hit builds no model.

        A model with a `version` has that for its ETag, as If-Match will want it; any other is known by its content.
        """
        computed = False

        async def render() -> bytes:
            nonlocal computed
            computed, model = True, await compute()
            if model is None:
                raise _Nothing
            body = model.model_dump_json().encode()
            version: int | None = getattr(model, "version", None)
            return (blake2b(body, digest_size=8).digest() if version is None else version.to_bytes(8)) + body

        try:
            stored = await self._cache.get_or_compute(namespace, key, SECONDS, render)
        except _Nothing:
            return None
        response = Response(stored[8:], media_type="application/json", headers=_HEADERS)
        response.headers["Cache-Status"] = f"nexus-listings; {'fwd=miss' if computed else 'hit'}"
        self._conditions.not_modified(response, int.from_bytes(stored[:8]))
        return response


PublicDep = Annotated[Public, Depends()]


# ---------------------------------------------------------------------------------------- its numbers

router = APIRouter(prefix="/cache", tags=["cache"])


class Usage(Resource):
    """How often the cache had the answer."""

    hits: int = Field(examples=[970])
    misses: int = Field(examples=[30])
    hit_ratio: float = Field(description="hits / (hits + misses), or 0 before the first read.", examples=[0.97])


class CacheMetrics(Usage):
    """Of this suite's own cache, since it was last emptied."""

    namespaces: dict[str, Usage] = Field(description="The same by what is asked for: categories, listings, search.")


@router.get("/metrics", summary="How well the cache works")
async def metrics(cache: CacheDep) -> CacheMetrics:
    """Summed over all processes; a few seconds late."""
    return CacheMetrics.model_validate(await cache.stats())
