"""Which address reaches which service, and which reaches none."""

import json

import httpx
import pytest

from tests.gateway.nginx import Gateway
from tests.gateway.upstream import Upstream


@pytest.mark.parametrize(
    ("path", "service"),
    [
        ("/api/v1/auth/login", "auth"),
        ("/api/v1/auth/me/", "auth"),
        ("/api/v1/categories", "listings"),
        ("/api/v1/listings/mine", "listings"),
        ("/api/v1/listings/0199/publish/", "listings"),
        ("/api/v1/amenities", "listings"),
        ("/api/v1/photos/0199/large.webp", "listings"),
        ("/api/v1/favourites", "listings"),
        ("/api/v1/saved-searches/0199", "listings"),
        ("/api/v1/cache/metrics", "listings"),
        ("/api/v1/availability/0199?from=2027-01-01&to=2027-01-09", "bookings"),
        ("/api/v1/quotes", "bookings"),
        ("/api/v1/bookings?role=guest&status=", "bookings"),
        ("/api/v1/payments/chapa/webhook", "bookings"),
        ("/api/v1/calendars/0199.ics", "bookings"),
        ("/api/v1/waiting-list", "bookings"),
        ("/api/v1/balance", "bookings"),
        ("/api/v1/payouts", "bookings"),
        ("/api/v1/statements/2027-01.csv", "bookings"),
        ("/.well-known/jwks.json", "auth"),
    ],
)
async def test_an_address_reaches_its_service_unchanged(client: httpx.AsyncClient, path: str, service: str) -> None:
    seen = (await client.get(path)).json()

    assert seen["service"] == service
    assert seen["path"] + (f"?{seen['query']}" if seen["query"] else "") == path


@pytest.mark.parametrize("service", ["auth", "listings", "bookings"])
@pytest.mark.parametrize("page", ["docs", "openapi.json", "docs-assets/vendor/swagger_ui/swagger-ui-bundle.js"])
async def test_the_documentation_of_a_service_is_reached_below_its_name(
    client: httpx.AsyncClient, service: str, page: str
) -> None:
    seen = (await client.get(f"/{service}/{page}")).json()

    assert (seen["service"], seen["path"]) == (service, f"/{page}")


@pytest.mark.parametrize("service", ["auth", "listings", "bookings"])
@pytest.mark.parametrize(
    "path",
    [
        "/internal/events",
        "/{service}/internal/events",
        "/{service}/docs-assets/../internal/events",
        "/api/v1/../../internal/events",
        "/api/v1/{service}/../../../internal/events",
        "/api/v1/{service}/%2e%2e/%2e%2e/%2e%2e/internal/events",
        "/internal/events/%2e%2e/%2e%2e/api/v1/{service}",
        "/internal/events/..%2f../api/v1/{service}",
        "//internal//events",
        "/api/v1/{service}//internal/events",
        "/{service}/metrics",
        "/metrics",
        "/livez",
        "/readyz",
        "/{service}/readyz",
        "/health/worker",
    ],
)
async def test_what_is_internal_is_reached_by_no_spelling(
    gateway: Gateway, services: dict[str, Upstream], service: str, path: str
) -> None:
    before = {name: list(upstream.requests) for name, upstream in services.items()}
    line = f"GET {path.format(service=service)} HTTP/1.1"

    head, body = await gateway.say(f"{line}\r\nHost: localhost\r\nConnection: close\r\n\r\n".encode())

    assert head.split(b" ")[1] in {b"400", b"404"}
    assert json.loads(body)["code"] in {"bad_request", "not_found"}
    assert {name: upstream.requests for name, upstream in services.items()} == before


async def test_the_gateway_answers_for_its_own_health(client: httpx.AsyncClient) -> None:
    answer = await client.get("/healthz")

    assert answer.json() == {"status": "ok"}


async def test_the_portal_can_ask_whether_a_service_is_ready(client: httpx.AsyncClient) -> None:
    ready = await client.get("/health/bookings")

    assert (ready.json()["service"], ready.json()["path"]) == ("bookings", "/readyz")
