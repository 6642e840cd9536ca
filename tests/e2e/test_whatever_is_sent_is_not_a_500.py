"""Requests made up from the services' own OpenAPI descriptions, good and bad: none is answered by a 500."""

from collections.abc import AsyncIterator, Iterator
from typing import Any

import httpx
import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from schemathesis import Case, GenerationMode
from schemathesis.core.result import Ok

from tests.actors import newcomers
from tests.suite import Suite

SERVICES = ("auth", "listings", "bookings")
ENDS_THE_SESSION = ("/auth/logout", "/auth/me", "/auth/sessions")


@pytest.fixture(scope="module")
async def client(suite: Suite) -> AsyncIterator[httpx.Client]:
    """Somebody who may do everything that a user may."""
    async with newcomers(suite, "Fuzz") as (person,):
        token = (await person.sign_in())["access_token"]
    headers = {"Authorization": f"Bearer {token}", "If-Match": '"1"'}
    with httpx.Client(base_url=suite.status()["gateway"], verify=suite.tls, timeout=30, headers=headers) as opened:
        yield opened


@pytest.mark.parametrize("service", SERVICES)
@pytest.mark.parametrize("mode", list(GenerationMode), ids=lambda mode: mode.value)
def test_whatever_is_sent_is_not_a_500(client: httpx.Client, service: str, mode: GenerationMode) -> None:
    for operation in operations(client, service):

        @settings(max_examples=10, deadline=None, suppress_health_check=list(HealthCheck), database=None)
        @given(case=operation.as_strategy(mode))
        def send(case: Case[Any]) -> None:
            try:
                answer = client.request(**sendable(case))
            except (httpx.LocalProtocolError, httpx.InvalidURL, UnicodeEncodeError):
                return  # no client can send that

            assert answer.status_code < 500, answer.text
            if answer.is_error:
                assert answer.headers["content-type"] == "application/problem+json", answer.text

        send()


def operations(client: httpx.Client, service: str) -> Iterator[Any]:
    """What the service describes, without what would sign the caller out."""
    document = client.get(f"/{service}/openapi.json").json()
    document["paths"] = {
        path: calls
        for path, calls in document["paths"].items()
        if not path.startswith("/internal") and not any(end in path for end in ENDS_THE_SESSION)
    }
    for described in schemathesis.openapi.from_dict(document).get_all_operations():
        assert isinstance(described, Ok), described
        operation = described.ok()
        if operation.body or list(operation.iter_parameters()):  # else there is nothing to make up
            yield operation


def sendable(case: Case[Any]) -> dict[str, Any]:
    """The case as arguments for httpx, signed in as the client is."""
    request = case.as_transport_kwargs(base_url="https://localhost")
    kept = {name: request[name] for name in ("method", "params", "json", "data") if request.get(name) is not None}
    content = {"content": kept.pop("data")} if isinstance(kept.get("data"), bytes | str) else {}
    made_up = request.get("headers") or {}
    headers = {name: made_up[name] for name in ("Content-Type", "Idempotency-Key") if name in made_up}
    path = request["url"].removeprefix("https://localhost")
    return {**kept, **content, "url": path, "headers": headers}
