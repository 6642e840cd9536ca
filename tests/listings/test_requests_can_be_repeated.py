"""A host who does not know whether a POST arrived sends it again, under the same Idempotency-Key, without harm."""

import httpx
import pytest
from nexus_kit.testing import Service

from tests.listings.given import API, COMPLETE, a_draft, a_listing

KEY = {"Idempotency-Key": "once"}


async def test_a_draft_sent_twice_is_one_listing(host: httpx.AsyncClient) -> None:
    first = await host.post(f"{API}/listings", json=COMPLETE, headers=KEY)

    again = await host.post(f"{API}/listings", json=COMPLETE, headers=KEY)

    assert (again.status_code, again.content) == (201, first.content)
    assert again.headers["Idempotency-Replayed"] == "true"
    assert {again.headers[name] == first.headers[name] for name in ("Location", "ETag", "Cache-Control")} == {True}
    assert len((await host.get(f"{API}/listings/mine")).json()["items"]) == 1


async def test_a_draft_without_a_key_is_a_listing_each_time(host: httpx.AsyncClient) -> None:
    for _ in range(2):
        assert (await host.post(f"{API}/listings", json=COMPLETE)).status_code == 201

    assert len((await host.get(f"{API}/listings/mine")).json()["items"]) == 2


async def test_a_key_belongs_to_one_body(host: httpx.AsyncClient) -> None:
    await host.post(f"{API}/listings", json=COMPLETE, headers=KEY)

    other = await host.post(f"{API}/listings", json=COMPLETE | {"title": "Other"}, headers=KEY)

    assert (other.status_code, other.json()["code"]) == (422, "idempotency_key_reused")


@pytest.mark.parametrize("move", ["publish", "unpublish"])
async def test_a_move_repeated_is_the_same_answer_and_one_fact(
    service: Service, host: httpx.AsyncClient, move: str
) -> None:
    listing = await (a_draft if move == "publish" else a_listing)(host)
    address = f"{API}/listings/{listing['id']}/{move}"

    first = await host.post(address, headers=KEY)
    again = await host.post(address, headers=KEY)
    without = await host.post(address)

    assert (first.status_code, again.status_code, again.content) == (200, 200, first.content)
    assert again.headers["ETag"] == first.headers["ETag"]
    assert (without.status_code, without.json()["code"]) == (409, "illegal_transition")
    facts = [fact.type for fact in await service.published()]
    assert facts.count(f"nexus.listings.listing.{move}ed.v1") == 1


async def test_what_was_refused_may_be_tried_again_under_its_key(host: httpx.AsyncClient) -> None:
    refused = await host.post(f"{API}/listings", json=COMPLETE | {"category": "castle"}, headers=KEY)

    accepted = await host.post(f"{API}/listings", json=COMPLETE, headers=KEY)

    assert (refused.status_code, accepted.status_code) == (422, 201)
