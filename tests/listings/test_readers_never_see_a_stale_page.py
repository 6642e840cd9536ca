"""Public answers come from the cache, and still every read that starts after a write's answer shows that write."""

import asyncio
import re
from uuid import uuid4

import httpx
import pytest
from nexus_kit.testing import Service, signed_in

from tests.listings.given import API, a_listing, change, nights_change, soon, titles


async def test_the_second_reader_is_served_from_the_cache(client: httpx.AsyncClient, host: httpx.AsyncClient) -> None:
    listing = await a_listing(host)
    for address in (f"{API}/listings", f"{API}/listings/{listing['id']}", f"{API}/categories"):
        first, second = await client.get(address), await client.get(address)

        assert first.headers["Cache-Status"] == "nexus-listings; fwd=uri-miss; stored"
        assert re.fullmatch(r"nexus-listings; hit; ttl=\d\d", second.headers["Cache-Status"])
        assert second.content == first.content
        assert second.headers["Cache-Control"] == "public, max-age=0, s-maxage=1"


async def test_who_is_signed_in_shares_the_answers_of_everybody_but_needs_a_good_token(
    client: httpx.AsyncClient, host: httpx.AsyncClient
) -> None:
    await a_listing(host)
    anonymous = await client.get(f"{API}/listings")

    signed = await client.get(f"{API}/listings", headers=signed_in())
    refused = await client.get(f"{API}/listings", headers={"Authorization": "Bearer nonsense"})

    assert signed.content == anonymous.content
    assert signed.headers["Cache-Status"].startswith("nexus-listings; hit")
    assert refused.status_code == 401


async def test_a_reader_who_has_the_answer_hears_304(client: httpx.AsyncClient, host: httpx.AsyncClient) -> None:
    listing = await a_listing(host)
    for address in (f"{API}/listings", f"{API}/listings/{listing['id']}"):
        known = {"If-None-Match": (await client.get(address)).headers["ETag"]}

        unchanged = await client.get(address, headers=known)
        await change(host, listing["id"], title=f"Seen from {address}")
        changed = await client.get(address, headers=known)

        assert (unchanged.status_code, unchanged.content) == (304, b"")
        assert unchanged.headers["Cache-Status"].startswith("nexus-listings; hit")
        assert changed.status_code == 200
        assert changed.headers["ETag"] != known["If-None-Match"]


async def test_a_host_who_asks_again_for_a_draft_hears_304(host: httpx.AsyncClient) -> None:
    draft = await host.post(f"{API}/listings", json={"title": "Draft"})

    answer = await host.get(draft.headers["Location"], headers={"If-None-Match": draft.headers["ETag"]})

    assert answer.status_code == 304


async def test_every_kind_of_write_is_visible_to_the_next_read(
    service: Service, client: httpx.AsyncClient, host: httpx.AsyncClient
) -> None:
    listing = await a_listing(host, title="First")
    address, dates = f"{API}/listings/{listing['id']}", {"check_in": str(soon(1)), "check_out": str(soon(2))}

    assert await titles(client, **dates) == ["First"]
    await change(host, listing["id"], title="Second")
    assert await titles(client, **dates) == ["Second"]
    await nights_change(service, listing["id"], sold_out=[soon(1)])
    assert await titles(client, **dates) == []
    assert await titles(client) == ["Second"]
    await host.post(f"{address}/unpublish")
    assert await titles(client) == []
    await host.post(f"{address}/publish")
    assert await titles(client) == ["Second"]
    await host.delete(address)
    assert await titles(client) == []


async def test_fifty_readers_never_see_less_than_what_was_answered_before_they_asked(
    service: Service, client: httpx.AsyncClient, host: httpx.AsyncClient
) -> None:
    listings = [await a_listing(host, title="0") for _ in range(4)]
    answered = {listing["id"]: 0 for listing in listings}
    writing = True

    async def write(listing_id: str) -> None:
        for number in range(1, 16):
            assert (await change(host, listing_id, title=str(number))).status_code == 200
            answered[listing_id] = number

    async def read() -> int:
        reads = 0
        while writing:
            known = dict(answered)
            cards = (await client.get(f"{API}/listings")).json()["items"]
            one = (await client.get(f"{API}/listings/{cards[reads % 4]['id']}")).json()
            for shown in (*cards, one):
                assert int(shown["title"]) >= known[shown["id"]]
            reads += 1
        return reads

    readers = [asyncio.create_task(read()) for _ in range(50)]
    await asyncio.gather(*(write(listing["id"]) for listing in listings))
    writing = False
    reads = await asyncio.gather(*readers)

    assert min(reads) > 0
    usage = (await client.get(f"{API}/cache/metrics")).json()["namespaces"]["search"]
    assert usage["hits"] > 0
    assert usage["misses"] > 4


async def test_the_metrics_tell_hits_from_misses(client: httpx.AsyncClient) -> None:
    before = (await client.get(f"{API}/cache/metrics")).json()
    for _ in range(4):
        await client.get(f"{API}/listings")

    after = (await client.get(f"{API}/cache/metrics")).json()

    search = after["namespaces"]["search"]
    assert search["bytes_stored"] > 0
    assert after["bytes_written"] - before["bytes_written"] == search["bytes_stored"]
    assert (after["hits"] - before["hits"], after["misses"] - before["misses"]) == (3, 1)
    assert search["hit_ratio"] == pytest.approx(search["hits"] / (search["hits"] + search["misses"]), abs=0.001)


async def test_a_listing_that_is_not_there_is_not_remembered(service: Service, client: httpx.AsyncClient) -> None:
    before = await service.cache.dbsize()

    answers = [await client.get(f"{API}/listings/{uuid4()}") for _ in range(3)]

    assert [answer.status_code for answer in answers] == [404] * 3
    assert await service.cache.keys("*:answer:*") == []
    assert await service.cache.keys("*:lease:*") == []
    assert await service.cache.dbsize() <= before + 1  # its generation
