"""`create_app`: what every Nexus service has in common, in one place. Each service's `main.py` calls it once.

It gives a service its runtime, its background work, problem documents, health, metrics and offline docs, and refuses to
start when a route is neither guarded nor listed as public.
"""

import asyncio
import gc
import importlib
from collections import Counter
from collections.abc import AsyncIterator, Callable, Collection, Iterable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any, get_args, get_origin

from fastapi import APIRouter, Depends, FastAPI, Request
from fastapi.dependencies.models import Dependant
from fastapi.routing import APIRoute
from fastapi.staticfiles import StaticFiles
from nexus_contracts.envelope import Event
from pydantic import BaseModel
from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import ExponentialBackoff

from nexus_kit import inbox, logs, outbox, problems, streams
from nexus_kit.auth import GUARDS
from nexus_kit.background import Periodic, run_periodics
from nexus_kit.db import Database
from nexus_kit.disposable import DisposableRedis
from nexus_kit.errors import FieldError, Problem, ProblemDocument, ValidationFailed
from nexus_kit.middleware import RequestContext
from nexus_kit.operations import DOCS, operations_router
from nexus_kit.runtime import Runtime
from nexus_kit.settings import ServiceSettings
from nexus_kit.tokens import Verifier

API = "/api/v1"
_DAY = 24 * 3600
_GARBAGE = 20_000
"""New objects between two looks for garbage. With Python's 700, a handful of cards, looking took 4 % of the time."""

Lifespan = Callable[[FastAPI], AbstractAsyncContextManager[None]]


def create_app(
    *,
    name: str,
    title: str,
    description: str,
    settings: ServiceSettings,
    routers: Sequence[APIRouter] = (),
    constraints: Mapping[str, type[Problem]] | None = None,
    consumes: inbox.Handlers | None = None,
    background: Sequence[Periodic] = (),
    public: Collection[str] = (),
    lifespan: Lifespan | None = None,
) -> FastAPI:
    """Build one service.

    `routers` declare paths below /api/v1, but for those that begin with /internal or /.well-known. `public` lists, as
    "GET /api/v1/listings", the routes that anybody may call. `lifespan` is entered when `app.state.runtime` exists.
    """
    logs.configure(name, settings.log_level)
    periodics = [*background, *_housekeeping(name, consumes)]

    @asynccontextmanager
    async def whole_lifespan(app: FastAPI) -> AsyncIterator[None]:
        async with AsyncExitStack() as stack:
            runtime = await stack.enter_async_context(_runtime(name, settings, constraints or {}))
            app.state.runtime = runtime
            if lifespan is not None:
                await stack.enter_async_context(lifespan(app))
            await stack.enter_async_context(_background(runtime, periodics))
            gc.freeze()  # what is there by now stays: to look through it all for garbage stops every request
            gc.set_threshold(_GARBAGE)
            yield

    app = FastAPI(
        title=title,
        description=description,
        version="1.0.0",
        lifespan=whole_lifespan,
        docs_url=None,
        redoc_url=None,
        dependencies=[Depends(refuse_unfit_parameters)],
        responses={"4XX": {"model": ProblemDocument, "content": {"application/problem+json": {}}}},
    )
    app.add_middleware(RequestContext)
    problems.install(app)
    if consumes is not None:
        routers = [*routers, inbox.events_router(name, consumes)]
    for router in routers:
        app.include_router(router, prefix=_prefix(router))
        _check_guards(_prefix(router), router, public)
    app.state.declared_parameters = _declared_parameters(routers)
    app.include_router(operations_router(Path(_package(name)).parent / "alembic.ini"))
    app.mount("/docs-assets", StaticFiles(directory=DOCS), name="docs-assets")
    return app


async def refuse_unfit_parameters(request: Request) -> None:
    """A query parameter that the route does not declare, or takes once and is sent twice, is a mistake of the client's:
    say so, and neither ignore it nor choose one of two values."""
    if not request.query_params:
        return
    everywhere: dict[int, Mapping[str, bool]] = request.app.state.declared_parameters
    declared = everywhere.get(id(request.scope["route"]), {})
    sent = Counter(name for name, _ in request.query_params.multi_items())
    unknown = sorted(sent.keys() - declared.keys())
    repeated = sorted(name for name, times in sent.items() if times > 1 and not declared.get(name, True))
    if unknown or repeated:
        faults = (("Unknown", unknown), ("Repeated", repeated))
        raise ValidationFailed(
            " ".join(f"{fault} query parameter: {', '.join(names)}." for fault, names in faults if names),
            errors=[
                *(FieldError(pointer=each, code="extra_forbidden", message="No such parameter.") for each in unknown),
                *(FieldError(pointer=each, code="repeated", message="Takes one value.") for each in repeated),
            ],
        )


def _declared_parameters(routers: Iterable[APIRouter]) -> dict[int, Mapping[str, bool]]:
    """The query parameters of each route, by its identity (it has no hash), and whether each may be repeated."""
    return {id(route): dict(_query_parameters(route.dependant)) for router in routers for route in _api_routes(router)}


def _query_parameters(dependant: Dependant) -> Iterable[tuple[str, bool]]:
    for field in dependant.query_params:
        annotation = field.field_info.annotation
        if isinstance(annotation, type) and issubclass(annotation, BaseModel):
            for name, each in annotation.model_fields.items():
                yield each.alias or name, _is_list(each.annotation)
        else:
            yield field.alias, _is_list(annotation)
    for below in dependant.dependencies:
        yield from _query_parameters(below)


def _is_list(annotation: Any) -> bool:
    """Whether it is one, or may be: `list[str]`, `Annotated[list[str], ...] | None`."""
    return get_origin(annotation) is list or any(_is_list(each) for each in get_args(annotation))


def _api_routes(router: APIRouter) -> list[APIRoute]:
    return [route for route in router.routes if isinstance(route, APIRoute)]


@asynccontextmanager
async def _runtime(
    name: str, settings: ServiceSettings, constraints: Mapping[str, type[Problem]]
) -> AsyncIterator[Runtime]:
    database = Database(
        settings.database_url.get_secret_value(), pool_size=settings.database_pool_size, constraints=constraints
    )
    events = redis_client(settings.events_url.get_secret_value())
    cache = DisposableRedis.connect(settings.cache_url.get_secret_value())
    verifier = Verifier(issuer=settings.issuer, jwks_url=settings.jwks_url, redis=events)
    try:
        yield Runtime(name, settings, database, events, cache, verifier)
    finally:
        await events.aclose()
        await cache.aclose()
        await database.engine.dispose()


def redis_client(url: str) -> Redis:
    """A client that gives up soon: whoever waits for Redis here has something better to do without it."""
    retry = Retry(ExponentialBackoff(cap=0.2, base=0.02), retries=2)
    return Redis.from_url(url, socket_timeout=2.0, socket_connect_timeout=0.5, retry=retry, health_check_interval=15)


@asynccontextmanager
async def _background(runtime: Runtime, periodics: list[Periodic]) -> AsyncIterator[None]:
    """The relay (for a producer of events) and the periodic work, for as long as the app runs."""
    tasks = []
    if runtime.name in streams.PRODUCERS:
        relay = outbox.relay(runtime.database, runtime.events, runtime.name)
        tasks.append(asyncio.create_task(relay, name="relay"))
    if periodics:
        tasks.append(asyncio.create_task(run_periodics(runtime, periodics), name="periodics"))
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def _housekeeping(name: str, consumes: Mapping[type[Event], object] | None) -> Iterable[Periodic]:
    if name in streams.PRODUCERS:
        yield Periodic("prune outbox", _DAY, lambda runtime: outbox.prune(runtime.database))
    if consumes:
        yield Periodic("prune inbox", _DAY, lambda runtime: inbox.prune(runtime.database))


def _prefix(router: APIRouter) -> str:
    own = all(route.path.startswith(("/internal/", "/.well-known/")) for route in _api_routes(router))
    return "" if own else API


def _check_guards(prefix: str, router: APIRouter, public: Collection[str]) -> None:
    for route in _api_routes(router):
        for method in route.methods or ():
            call = f"{method} {prefix}{route.path}"
            if not _is_guarded(route.dependant) and call not in public:
                raise RuntimeError(f"{call} names no user in its signature and is not listed as public")


def _is_guarded(dependant: Dependant) -> bool:
    return dependant.call in GUARDS or any(_is_guarded(each) for each in dependant.dependencies)


def _package(name: str) -> str:
    """The folder of the service's package; its alembic.ini stands beside it."""
    module = importlib.import_module(f"nexus_{name}")
    assert module.__file__ is not None
    return str(Path(module.__file__).parent)
