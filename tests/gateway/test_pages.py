"""The micro-cache of public pages: one second, anonymous readers only, and never older than the last write."""

import asyncio
import itertools
import os
from pathlib import Path

import httpx
import pytest

from tests.gateway.nginx import Gateway, eventually, running_gateway
from tests.gateway.upstream import Upstream

_unseen = itertools.count()

HIT = "nexus-gateway; hit"


@pytest.fixture
def page() -> str:
    """The address of a public page that nobody has asked for yet."""
    return f"/api/v1/listings?page={next(_unseen)}"


async def status_of(client: httpx.AsyncClient, url: str, **headers: str) -> str | None:
    """What the gateway's cache says it did."""
    answer = await client.get(url, headers=headers)
    assert answer.status_code < 500
    status: str | None = answer.headers.get("Cache-Status")
    return status


@pytest.mark.parametrize("path", ["/api/v1/listings", "/api/v1/listings/0199", "/api/v1/categories"])
async def test_the_second_anonymous_reader_within_a_second_is_answered_by_the_gateway(
    client: httpx.AsyncClient, path: str
) -> None:
    url = f"{path}?page={next(_unseen)}"
    first = await client.get(url)
    second = await client.get(url)

    assert first.headers["Cache-Status"] == "nexus-gateway; fwd=uri-miss"
    assert second.headers["Cache-Status"] == HIT
    assert second.json() == first.json()
    assert second.headers["X-Request-Id"] != first.headers["X-Request-Id"]


async def test_a_page_is_kept_for_one_second_whatever_the_service_says(
    client: httpx.AsyncClient, page: str, listings: Upstream
) -> None:
    url = f"{page}&cache=public,max-age=3600"
    old = (await client.get(url)).json()["version"]
    listings.version += 1  # as when the service learns something from an event

    await asyncio.sleep(2.1)  # the cache's clock has whole seconds

    assert (await client.get(url)).json()["version"] == old + 1


@pytest.mark.parametrize("credential", [{"Authorization": "Bearer x"}, {"Authorization": "0"}, {"Cookie": "s=1"}])
async def test_who_shows_a_credential_neither_reads_nor_fills_the_cache(
    client: httpx.AsyncClient, page: str, credential: dict[str, str]
) -> None:
    personal = [await status_of(client, page, **credential) for _ in range(2)]
    anonymous = [await status_of(client, page) for _ in range(2)]
    personal_again = await status_of(client, page, **credential)

    assert personal == ["nexus-gateway; fwd=bypass"] * 2
    assert anonymous == ["nexus-gateway; fwd=uri-miss", HIT]
    assert personal_again == "nexus-gateway; fwd=bypass"


@pytest.mark.parametrize("query", ["status=404", "cache=private", "cache=no-store", "vary=*"])
async def test_only_public_successes_are_kept(client: httpx.AsyncClient, page: str, query: str) -> None:
    assert HIT not in [await status_of(client, f"{page}&{query}") for _ in range(3)]


async def test_the_callers_own_listings_are_never_kept(client: httpx.AsyncClient) -> None:
    assert [await status_of(client, "/api/v1/listings/mine") for _ in range(2)] == [None, None]


async def test_another_query_is_another_page(client: httpx.AsyncClient, page: str) -> None:
    await client.get(page)

    assert await status_of(client, f"{page}&sort=-price") == "nexus-gateway; fwd=uri-miss"


async def test_the_caches_on_the_way_are_listed_from_the_service_to_the_client(
    client: httpx.AsyncClient, page: str
) -> None:
    url = f"{page}&cached=nexus-listings%3B+fwd%3Duri-miss"
    etag = (await client.get(url)).headers["ETag"]

    assert await status_of(client, url) == f"nexus-listings; fwd=uri-miss, {HIT}"
    assert await status_of(client, url, **{"If-None-Match": etag}) == f"nexus-listings; fwd=uri-miss, {HIT}"


@pytest.mark.parametrize("headers", [{}, {"Authorization": "Bearer x"}])
async def test_an_unchanged_page_is_not_sent_again(
    client: httpx.AsyncClient, page: str, headers: dict[str, str]
) -> None:
    etag = (await client.get(page, headers=headers)).headers["ETag"]

    answer = await client.get(page, headers={**headers, "If-None-Match": etag})

    seen_by_the_service = "if-none-match" in answer.text
    assert answer.status_code == 304 or seen_by_the_service


async def test_readers_who_have_an_older_page_fill_the_cache_as_well(
    client: httpx.AsyncClient, page: str, listings: Upstream
) -> None:
    etag = (await client.get(page)).headers["ETag"]
    await client.patch("/api/v1/listings/0199?status=200")
    listings.version -= 1  # as after a change of another page
    before = len(listings.requests)

    answers = [await client.get(page, headers={"If-None-Match": etag}) for _ in range(5)]

    assert [answer.status_code for answer in answers] == [304] * 5
    assert len(listings.requests) == before + 1


async def test_a_reader_after_a_write_never_sees_the_page_from_before(
    client: httpx.AsyncClient, page: str, listings: Upstream
) -> None:
    for method in ("POST", "PATCH", "PUT", "DELETE") * 10:
        await client.get(page)

        await client.request(method, "/api/v1/listings/0199", headers={"Authorization": "Bearer host"})

        assert (await client.get(page)).json()["version"] == listings.version


async def test_a_reader_overtaken_by_a_write_does_not_leave_the_old_page_behind(
    client: httpx.AsyncClient, page: str, listings: Upstream
) -> None:
    slow = f"{page}&slow=0.3"
    overtaken = asyncio.create_task(client.get(slow))
    await asyncio.sleep(0.1)

    await client.patch("/api/v1/listings/0199")
    await overtaken

    assert (await client.get(slow)).json()["version"] == listings.version > overtaken.result().json()["version"]


async def test_a_refused_write_leaves_the_pages_alone(client: httpx.AsyncClient, page: str) -> None:
    await client.get(page)

    await client.patch("/api/v1/listings/0199?status=412")

    assert await status_of(client, page) == HIT


async def test_many_readers_of_a_new_page_share_a_request(
    client: httpx.AsyncClient, page: str, listings: Upstream
) -> None:
    before = len(listings.requests)

    await asyncio.gather(*(client.get(f"{page}&slow=0.03") for _ in range(40)))

    assert len(listings.requests) - before < 20  # whoever has waited for 100 ms asks for himself


async def test_a_restarted_gateway_does_not_take_up_pages_of_its_former_life(
    upstreams: dict[str, str], listings: Upstream, page: str, tmp_path: Path
) -> None:
    async with running_gateway(tmp_path, **upstreams) as gateway, gateway.client() as client:
        await client.patch("/api/v1/listings/0199")
        await client.get(page)
        await gateway.stop()
        listings.version += 1
        await gateway.start()

        answer = await client.get(page)

    assert answer.json()["version"] == listings.version


async def test_old_generations_are_forgotten_but_never_the_current_one(
    gateway: Gateway, client: httpx.AsyncClient
) -> None:
    for _ in range(5):
        await client.patch("/api/v1/listings/0199")
    current = (gateway.folder / "generation").readlink().name
    for each in gateway.folder.glob("generation.*"):
        os.utime(each, (0, 0))

    async def others_are_gone() -> bool:
        return [each.name for each in gateway.folder.glob("generation.*")] == [current]

    await eventually(others_are_gone)

    assert (gateway.folder / current).is_dir()


async def test_the_public_keys_are_kept_for_a_few_seconds(
    client: httpx.AsyncClient, services: dict[str, Upstream]
) -> None:
    before = len(services["auth"].requests)

    for _ in range(5):
        await client.get("/.well-known/jwks.json")

    assert len(services["auth"].requests) <= before + 1


@pytest.mark.parametrize("condition", [{"If-Match": '"1"'}, {"If-Unmodified-Since": "Mon, 01 Jan 2001 00:00:00 GMT"}])
async def test_conditions_for_a_change_are_not_judged_by_the_cache(
    client: httpx.AsyncClient, condition: dict[str, str]
) -> None:
    await client.get("/api/v1/listings?etag=2")

    answer = await client.get("/api/v1/listings?etag=2", headers=condition)

    assert answer.status_code == 200
