"""What everybody may read: answers kept as bytes in the cache, and thrown away together whenever a listing changes.

The public routes are of the class `public(...)`; `forget_pages` is called by whatever changes what they show.
"""

from collections import Counter
from collections.abc import AsyncIterator, Callable, Coroutine, Mapping
from contextlib import asynccontextmanager
from hashlib import blake2b
from typing import Annotated, Any

from fastapi import APIRouter, Depends, FastAPI, Request, Response
from fastapi.routing import APIRoute
from nexus_kit.auth import authenticate
from nexus_kit.cache import Cache
from nexus_kit.conditional import Preconditions
from nexus_kit.db import around_commit
from nexus_kit.early import EarlyAnswer
from nexus_kit.schemas import Resource
from pydantic import Field
from sqlalchemy.ext.asyncio import AsyncSession

Handler = Callable[[Request], Coroutine[Any, Any, Response]]

NAMESPACES = ("amenities", "categories", "listings", "search")
SECONDS = 60
"""How long an answer may be used. Not what keeps it true: that is `forget_pages`."""

# The gateway may repeat an anonymous answer for a second; a browser asks each time, and mostly hears 304.
_HEADERS = {"Cache-Control": "public, max-age=0, s-maxage=1", "Vary": "Accept-Encoding"}


@asynccontextmanager
async def public_cache(app: FastAPI) -> AsyncIterator[None]:
    """The lifespan of the cache. Every session knows it, so that a change made anywhere reaches it."""
    cache = Cache(app.state.runtime.cache, "listings", NAMESPACES)
    app.state.cache = cache
    app.state.runtime.database.sessions.configure(info={"forgetting_pages": cache.changing})
    yield


def forget_pages(session: AsyncSession) -> None:
    """Once this transaction is committed, and before its caller hears of it, no stored answer is used again."""
    around_commit(session, session.info["forgetting_pages"])


async def cache_of(request: Request) -> Cache:
    """The dependency behind `CacheDep`."""
    found: Cache = request.app.state.cache
    return found


CacheDep = Annotated[Cache, Depends(cache_of)]


def public(namespace: str) -> type[APIRoute]:
    """The class of a route whose answer is the same for everybody: `APIRouter(route_class=public("search"))`.

    A stored answer leaves before FastAPI looks at a single parameter, and builds no model. A miss runs the route and
    keeps what it answers under the address as it was sent, unless the route marks it `Cache-Control: private`.
    """
    if namespace not in NAMESPACES:
        raise ValueError(f"{namespace} is none of {NAMESPACES}")

    class PublicRoute(APIRoute):
        def get_route_handler(self) -> Handler:
            compute = super().get_route_handler()

            async def handle(request: Request) -> Response:
                await authenticate(request)  # a bad token is refused, though a good one changes nothing here
                return await _answer(request, namespace, compute)

            return handle

    return PublicRoute


async def _answer(request: Request, namespace: str, compute: Handler) -> Response:
    async def render() -> bytes:
        response = await compute(request)
        if response.headers.get("Cache-Control", "").startswith("private"):
            raise EarlyAnswer(response)
        body = bytes(response.body)
        # A resource has its version for its ETag, as If-Match will want it; any other page is known by its content.
        tag = response.headers.get("ETag", "").strip('"') or blake2b(body, digest_size=8).hexdigest()
        return tag.encode() + b"\n" + body

    cache: Cache = request.app.state.cache
    key = f"{request.scope['path']}?{request.scope['query_string'].decode('latin-1')}"
    stored, status = await cache.get_or_compute(namespace, key, SECONDS, render)
    tag, _, body = stored.partition(b"\n")
    response = Response(body, media_type="application/json", headers=_HEADERS)
    response.headers["Cache-Status"] = f"nexus-listings; {status}"
    conditions = Preconditions(None, request.headers.get("if-none-match"))
    conditions.not_modified(response, tag.decode())
    return response


# ---------------------------------------------------------------------------------------- its numbers

router = APIRouter(prefix="/cache", tags=["cache"])


class Usage(Resource):
    """How often the cache had the answer, and what it holds."""

    hits: int = Field(description="Answered from the cache.", examples=[970])
    misses: int = Field(description="Computed, or shared with whoever was computing.", examples=[30])
    bypasses: int = Field(description="Computed because Redis did not answer, or a change was being committed.")
    hit_ratio: float = Field(description="hits / (hits + misses), or 0 before the first hit.", examples=[0.97])
    stale_serves: int = Field(
        description="Misses that a change overtook: their readers had asked before it was answered. Nobody else is "
        "ever given an answer from before a change."
    )
    bytes_written: int = Field(description="Of all answers ever stored.")
    bytes_stored: int = Field(description="Of the answers stored now, those that a change has ended included.")


class CacheMetrics(Usage):
    """Of this suite's own cache, since it was last emptied."""

    namespaces: dict[str, Usage] = Field(
        description="The same by what is asked for: amenities, categories, listings, search."
    )


@router.get("/metrics", summary="How well the cache works")
async def metrics(cache: CacheDep) -> CacheMetrics:
    """Summed over all processes. What another process than the one that answers counted since it last stored an answer
    is not in it yet."""
    namespaces = await cache.stats()
    total = sum(map(Counter, namespaces.values()), Counter[str]())
    return CacheMetrics(
        **_with_ratio(total), namespaces={name: Usage(**_with_ratio(each)) for name, each in namespaces.items()}
    )


def _with_ratio(counts: Mapping[str, int]) -> dict[str, Any]:
    names = Usage.model_fields.keys() - {"hit_ratio"}
    hits, misses = counts["hits"], counts["misses"]
    return {**{name: counts[name] for name in names}, "hit_ratio": round(hits / (hits + misses), 4) if hits else 0.0}
