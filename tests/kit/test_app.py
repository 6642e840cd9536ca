"""What every service does alike: ids, problems, limits, health, offline docs, and no route that nobody guards."""

import re
from typing import Any

import httpx
import pytest
from fastapi import APIRouter
from nexus_kit.app import create_app
from nexus_kit.middleware import MAX_BODY_BYTES
from nexus_kit.testing import Service, signed_in


@pytest.fixture
async def owner(client: httpx.AsyncClient) -> httpx.AsyncClient:
    """A signed-in client."""
    client.headers.update({**signed_in(), "Idempotency-Key": "k"})
    return client


async def test_every_answer_carries_the_request_id_of_its_request(client: httpx.AsyncClient) -> None:
    answer = await client.get("/api/v1/hello", headers={"X-Request-Id": "chosen-by-gateway"})

    assert answer.headers["X-Request-Id"] == "chosen-by-gateway"


@pytest.mark.parametrize("sent", ["", "short", "x" * 65, 'in"jected', "new line"])
async def test_an_odd_request_id_is_replaced(client: httpx.AsyncClient, sent: str) -> None:
    answer = await client.get("/api/v1/hello", headers={"X-Request-Id": sent})

    assert re.fullmatch("[0-9a-f]{32}", answer.headers["X-Request-Id"])


async def test_a_problem_says_what_happened_in_one_shape(client: httpx.AsyncClient) -> None:
    answer = await client.get("/api/v1/jars")

    assert answer.headers["Content-Type"] == "application/problem+json"
    assert answer.json() == {
        "type": "/problems/not_authenticated",
        "title": "This call needs an access token",
        "status": 401,
        "detail": "This call needs an access token",
        "code": "not_authenticated",
        "request_id": answer.headers["X-Request-Id"],
    }


@pytest.mark.parametrize(
    ("method", "path", "status", "code"),
    [
        ("GET", "/nowhere", 404, "not_found"),
        ("GET", "/api/v1/nowhere", 404, "not_found"),
        ("DELETE", "/api/v1/jars", 405, "method_not_allowed"),
        ("GET", "/api/v1/jars/not-an-id", 422, "validation_failed"),
        ("GET", "/api/v1/jars/00000000-0000-7000-8000-000000000000", 404, "not_found"),
        ("GET", "/api/v1/jars?colour=red", 422, "validation_failed"),
        ("GET", "/api/v1/jars?limit=1&limit=2", 422, "validation_failed"),
        ("GET", "/api/v1/jars/00000000-0000-7000-8000-000000000000?a=1", 422, "validation_failed"),
    ],
)
async def test_an_odd_address_is_a_problem(
    owner: httpx.AsyncClient, method: str, path: str, status: int, code: str
) -> None:
    answer = await owner.request(method, path)

    assert (answer.status_code, answer.json()["code"]) == (status, code)
    assert answer.headers["Content-Type"] == "application/problem+json"


@pytest.mark.parametrize(
    ("body", "pointers"),
    [
        (b"", ["/"]),
        (b"{", ["/"]),
        (b"[]", ["/"]),
        (b"null", ["/"]),
        (b"\xff\xfe", ["/"]),
        (b"{}", ["/label"]),
        (b'{"label": 7}', ["/label"]),
        (b'{"label": ""}', ["/label"]),
        (b'{"label": "a", "coins": "many", "colour": "red"}', ["/coins", "/colour"]),
        (b'{"label": "a\\u0000b"}', ["/label"]),
        (b'{"label": "a", "coins": 1e400}', ["/coins"]),
        (b'{"label": "\\ud800"}', ["/label"]),
    ],
)
async def test_a_bad_body_is_refused_with_the_place_of_each_mistake(
    owner: httpx.AsyncClient, body: bytes, pointers: list[str]
) -> None:
    answer = await owner.post("/api/v1/jars", content=body, headers={"Content-Type": "application/json"})

    assert answer.status_code in {400, 422}
    assert answer.headers["Content-Type"] == "application/problem+json"
    if answer.status_code == 422:
        assert answer.json()["code"] == "validation_failed"
        assert [error["pointer"] for error in answer.json()["errors"]] == pointers


@pytest.mark.parametrize("media_type", ["text/plain", "application/x-www-form-urlencoded", "application/xml", ""])
async def test_a_body_that_is_not_declared_as_json_is_refused(owner: httpx.AsyncClient, media_type: str) -> None:
    answer = await owner.post("/api/v1/jars", content=b'{"label": "a"}', headers={"Content-Type": media_type})

    assert (answer.status_code, answer.json()["code"]) == (415, "unsupported_media_type")


async def test_a_body_over_the_limit_is_refused_whether_or_not_it_says_its_length(owner: httpx.AsyncClient) -> None:
    async def endless() -> Any:
        for _ in range(20):
            yield b" " * 100_000

    declared = await owner.post("/api/v1/jars", json={"label": "x" * MAX_BODY_BYTES})
    streamed = await owner.post("/api/v1/jars", content=endless(), headers={"Content-Type": "application/json"})

    for answer in (declared, streamed):
        assert (answer.status_code, answer.json()["code"]) == (413, "payload_too_large")


async def test_a_fault_of_ours_is_a_500_that_says_nothing_of_it(client: httpx.AsyncClient) -> None:
    answer = await client.get("/api/v1/bug")

    assert (answer.status_code, answer.json()["code"]) == (500, "internal_error")
    assert "detail that no client" not in answer.text
    assert answer.json()["request_id"] == answer.headers["X-Request-Id"]


async def test_a_commit_that_fails_is_an_error_and_never_a_201(owner: httpx.AsyncClient, service: Service) -> None:
    await owner.post("/api/v1/jars", json={"label": "a", "nickname": "piggy"}, headers={"Idempotency-Key": "1"})

    answer = await owner.post("/api/v1/jars", json={"label": "b", "nickname": "piggy"})

    assert (answer.status_code, answer.json()["code"]) == (409, "nickname_taken")
    assert len(await service.published()) == 1


async def test_a_trailing_slash_is_accepted(owner: httpx.AsyncClient) -> None:
    assert (await owner.get("/api/v1/jars/")).status_code == 200


async def test_liveness_asks_nobody_and_readiness_names_what_is_missing(client: httpx.AsyncClient) -> None:
    alive, ready = await client.get("/livez"), await client.get("/readyz")

    assert alive.status_code == 200
    assert ready.status_code == 503, "this app's database was not made by migrations"
    assert ready.json()["checks"]["redis"] == "ok"
    assert "alembic_version" in ready.json()["checks"]["database"]


async def test_metrics_count_requests_by_route_and_not_by_address(owner: httpx.AsyncClient) -> None:
    await owner.get("/api/v1/jars/00000000-0000-7000-8000-000000000000")

    metrics = (await owner.get("/metrics")).text

    assert 'http_request_duration_seconds_count{method="GET",route="/jars/{jar_id}",status="404"}' in metrics
    assert "00000000-0000" not in metrics


async def test_the_docs_need_no_other_address(client: httpx.AsyncClient) -> None:
    page = (await client.get("/docs")).text

    assets = re.findall(r'(?:href|src)="([^"]+)"', page)
    assert assets
    for asset in assets:
        assert not asset.startswith(("http:", "https:", "//", "/")), asset
        assert (await client.get(f"/{asset}")).status_code == 200, asset
    assert (await client.get("/openapi.json")).json()["paths"].keys() >= {"/api/v1/jars"}


def test_an_app_with_an_unguarded_route_is_not_built(service: Service) -> None:
    router = APIRouter()

    @router.get("/open")
    async def nobody_looks_after_this() -> None:
        """Forgotten."""

    def build(public: set[str]) -> None:
        settings = service.app.state.runtime.settings
        create_app(name="bookings", title="t", description="d", settings=settings, routers=[router], public=public)

    with pytest.raises(RuntimeError, match="GET /api/v1/open"):
        build(public=set())
    build(public={"GET /api/v1/open"})
