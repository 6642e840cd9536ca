"""What /docs shows as an example can be sent as it is."""

from typing import Any

import httpx
import pytest
from nexus_kit.testing import Service, signed_in

from tests.listings.given import API, a_draft


@pytest.fixture
async def documents(client: httpx.AsyncClient) -> dict[str, Any]:
    """The service's OpenAPI document."""
    document: dict[str, Any] = (await client.get("/openapi.json")).json()
    return document


def example(documents: dict[str, Any], method: str, path: str) -> Any:
    """The example of a call's body."""
    reference = documents["paths"][path][method]["requestBody"]["content"]["application/json"]["schema"]["$ref"]
    return documents["components"]["schemas"][reference.rsplit("/", 1)[1]]["examples"][0]


async def test_the_listing_in_the_documentation_can_be_drafted_and_published(
    host: httpx.AsyncClient, documents: dict[str, Any]
) -> None:
    body = example(documents, "post", f"{API}/listings")

    drafted = await host.post(f"{API}/listings", json=body)
    again = await host.post(f"{API}/listings", json=body)
    published = await host.post(f"{drafted.headers['Location']}/publish")

    assert (drafted.status_code, again.status_code) == (201, 201), drafted.text
    assert (published.status_code, published.json()["status"]) == (200, "published"), published.text


async def test_the_change_in_the_documentation_can_be_made(host: httpx.AsyncClient, documents: dict[str, Any]) -> None:
    draft = await a_draft(host)

    body = example(documents, "patch", f"{API}/listings/{{listing_id}}")
    answer = await host.patch(f"{API}/listings/{draft['id']}", json=body, headers={"If-Match": '"1"'})

    assert (answer.status_code, answer.json()["price"]) == (200, body["price"]), answer.text


async def test_the_categories_in_the_documentation_can_be_made_and_changed(
    service: Service, documents: dict[str, Any]
) -> None:
    new = example(documents, "post", f"{API}/categories")
    changes = example(documents, "patch", f"{API}/categories/{{slug}}")

    async with service.client(**signed_in(roles=("user", "admin"))) as admin:
        made = await admin.post(f"{API}/categories", json=new)
        changed = await admin.patch(f"{API}/categories/{new['slug']}", json=changes, headers={"If-Match": '"1"'})
        removed = await admin.delete(f"{API}/categories/{new['slug']}")

    assert (made.status_code, changed.status_code, removed.status_code) == (201, 200, 204), (made.text, changed.text)
