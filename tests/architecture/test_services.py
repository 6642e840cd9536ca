"""What must hold of every route of every service, seen on the apps as production builds them."""

import importlib
import inspect
from collections.abc import Iterator
from typing import Any

import pytest
from fastapi import FastAPI
from fastapi.dependencies.models import Dependant
from fastapi.routing import APIRoute
from nexus_local.secrets import Secrets

SERVICES = ("auth", "listings", "bookings", "worker")
ENVIRONMENT = {
    "NEXUS_DATABASE_URL": "postgresql+asyncpg://nobody@127.0.0.1:1/nothing",
    "NEXUS_EVENTS_URL": "redis://127.0.0.1:1/1",
    "NEXUS_CACHE_URL": "redis://127.0.0.1:1/0",
    "NEXUS_INTERNAL_SECRET": "x" * 40,
    "NEXUS_ISSUER": "https://nexus.example",
    "NEXUS_PUBLIC_URL": "https://nexus.example",
    "NEXUS_JWKS_URL": "http://127.0.0.1:1/jwks.json",
    "NEXUS_AUTH_URL": "http://127.0.0.1:1",
    "NEXUS_LISTINGS_URL": "http://127.0.0.1:1",
    "NEXUS_BOOKINGS_URL": "http://127.0.0.1:1",
    "NEXUS_CHAPA_URL": "http://127.0.0.1:1",
    "NEXUS_CHAPA_SECRET_KEY": "a secret",
    "NEXUS_CHAPA_WEBHOOK_SECRET": "another secret",
    "NEXUS_PHOTOS_URL": "memory:///",
    "NEXUS_SMTP_URL": "smtp://127.0.0.1:1",
    "NEXUS_MAIL_FROM": "Nexus <no-reply@nexus.example>",
    "NEXUS_SIGNING_KEY": Secrets().signing_key,
}


@pytest.fixture(params=SERVICES)
def app(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> FastAPI:
    for name, value in ENVIRONMENT.items():
        monkeypatch.setenv(name, value)
    built: FastAPI = importlib.import_module(f"nexus_{request.param}.main").build()
    return built


@pytest.mark.parametrize("service", SERVICES)
@pytest.mark.parametrize("missing", ["NEXUS_DATABASE_URL", "NEXUS_INTERNAL_SECRET"])
def test_a_service_that_lacks_a_secret_refuses_to_start(
    service: str, missing: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in ENVIRONMENT.items():
        monkeypatch.setenv(name, value)
    monkeypatch.delenv(missing)

    with pytest.raises(ValueError, match=missing.removeprefix("NEXUS_").lower()):
        importlib.import_module(f"nexus_{service}.main").build()


def test_no_dependency_is_sent_to_a_thread(app: FastAPI) -> None:
    """FastAPI runs a plain function, or a class, in its thread pool: 100 µs of each request for nothing."""
    threaded = {
        f"{dependant.call.__module__}.{dependant.call.__qualname__}"
        for route in api_routes(app.router)
        for dependant in all_dependants(route.dependant)
        if dependant.call is not None and not is_async(dependant.call)
    }

    assert threaded == set()


def test_every_call_is_documented(app: FastAPI) -> None:
    description = app.openapi()

    silent = [
        f"{method} {path}"
        for path, calls in description["paths"].items()
        for method, call in calls.items()
        if not call.get("summary") or not call.get("description")
    ]

    assert silent == []


def api_routes(router: Any) -> Iterator[APIRoute]:
    """The routes of a router and of those that it includes: a tree since FastAPI 0.137."""
    for route in router.routes:
        if isinstance(route, APIRoute):
            yield route
        elif (included := getattr(route, "original_router", None)) is not None:
            yield from api_routes(included)


def all_dependants(dependant: Dependant) -> Iterator[Dependant]:
    yield dependant
    for below in dependant.dependencies:
        yield from all_dependants(below)


def is_async(call: Any) -> bool:
    called = call if inspect.isroutine(call) else type(call).__call__
    return inspect.iscoroutinefunction(called) or inspect.isasyncgenfunction(called)
