"""Whatever is sent, the answer is a problem document, never a traceback; and each route is documented."""

import httpx
import pytest

from tests.auth.given import code

CALLS = ("register", "verify-email", "login", "refresh", "forgot-password", "reset-password")


@pytest.mark.parametrize("call", CALLS)
@pytest.mark.parametrize(
    ("body", "media_type", "expected"),
    [
        (b"{", "application/json", (422, "validation_failed")),
        (b"", "application/json", (422, "validation_failed")),
        (b"[]", "application/json", (422, "validation_failed")),
        (b'"text"', "application/json", (422, "validation_failed")),
        (b"\xff\xfe", "application/json", (422, "validation_failed")),
        (b'{"unknown": 1}', "application/json", (422, "validation_failed")),
        (b"email=a", "application/x-www-form-urlencoded", (415, "unsupported_media_type")),
        (b'{"a": "' + b"x" * 1_100_000 + b'"}', "application/json", (413, "payload_too_large")),
    ],
    ids=["broken", "empty", "a list", "a string", "not UTF-8", "unknown field", "a form", "too large"],
)
async def test_a_body_that_is_not_the_expected_object_is_refused(
    client: httpx.AsyncClient, call: str, body: bytes, media_type: str, expected: tuple[int, str]
) -> None:
    answer = await client.post(f"/api/v1/auth/{call}", content=body, headers={"Content-Type": media_type})

    assert code(answer) == expected


async def test_an_unknown_query_parameter_is_refused(client: httpx.AsyncClient) -> None:
    answer = await client.post("/api/v1/auth/login?next=/admin", json={"email": "a@nexus.example", "password": "x"})

    assert code(answer) == (422, "validation_failed")


async def test_each_route_says_what_it_does_and_how_it_fails(client: httpx.AsyncClient) -> None:
    document = (await client.get("/openapi.json")).json()

    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            assert operation["summary"], (method, path)
            assert operation["description"], (method, path)
            refusals = {status for status in operation["responses"] if status.startswith("4")}
            assert refusals or path.endswith("jwks.json"), (method, path)
