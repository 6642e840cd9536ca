"""Photos come in by the one address that takes large bodies, and are kept at the gateway once they have been seen."""

import itertools
from collections.abc import AsyncIterator

import httpx
import pytest

from tests.gateway.upstream import Upstream

UPLOAD = "/api/v1/listings/0199/photos"
_unseen = itertools.count()


@pytest.fixture
def photo() -> str:
    """The address of a photo that nobody has asked for yet."""
    return f"/api/v1/photos/{next(_unseen)}/small.webp"


@pytest.mark.parametrize("path", [UPLOAD, f"{UPLOAD}/", f"{UPLOAD}?alt=The%20lake", "/api/v1/listings/0199/%70hotos"])
async def test_a_photo_may_have_ten_mebibytes_and_not_a_byte_more(client: httpx.AsyncClient, path: str) -> None:
    allowed = await client.post(path, content=b"x" * 10_485_760)
    too_large = await client.post(path, content=b"x" * 10_485_761)

    assert (allowed.json()["service"], allowed.json()["body"]) == ("listings", 10_485_760)
    assert (too_large.status_code, too_large.json()["code"]) == (413, "payload_too_large")


async def test_a_refusal_names_the_limit_of_its_address(client: httpx.AsyncClient) -> None:
    photo = await client.post(UPLOAD, content=b"x" * 10_485_761)
    other = await client.post("/api/v1/listings", content=b"x" * 1_048_577)

    assert photo.json()["detail"] == "A request body may have 10 MiB."
    assert other.json()["detail"] == "A request body may have 1 MiB."


@pytest.mark.parametrize("path", [f"{UPLOAD}/order", f"{UPLOAD}/0199", "/api/v1/photos/0199/small.webp"])
async def test_beside_the_upload_photos_have_the_limit_of_all(client: httpx.AsyncClient, path: str) -> None:
    assert (await client.put(path, content=b"x" * 1_048_577)).status_code == 413


async def test_an_upload_of_unknown_length_is_measured_as_it_arrives(client: httpx.AsyncClient) -> None:
    async def endless() -> AsyncIterator[bytes]:
        for _ in range(200):
            yield b"x" * 65_536

    assert (await client.post(UPLOAD, content=endless())).status_code == 413


async def test_who_has_uploaded_reads_no_page_from_before(client: httpx.AsyncClient) -> None:
    page = f"/api/v1/listings?page=photo{next(_unseen)}"
    old = (await client.get(page)).json()["version"]

    await client.post(UPLOAD, content=b"x")

    assert (await client.get(page)).json()["version"] > old


async def test_a_photo_is_asked_of_the_service_once(client: httpx.AsyncClient, photo: str, listings: Upstream) -> None:
    first = await client.get(photo)
    await client.post(UPLOAD, content=b"x")  # pages are new after a write; photos never change
    second = await client.get(photo, headers={"Authorization": "Bearer x"})

    assert first.headers["Cache-Status"] == "nexus-gateway; fwd=uri-miss"
    assert second.headers["Cache-Status"] == "nexus-gateway; hit"
    assert second.json() == first.json()
    assert listings.requests.count(f"GET {photo}") == 1


async def test_what_the_service_grants_browsers_reaches_them(client: httpx.AsyncClient, photo: str) -> None:
    url = f"{photo}?cache=public,immutable"
    answers = [await client.get(url) for _ in range(2)]
    known = await client.get(url, headers={"If-None-Match": answers[0].headers["ETag"]})

    assert [answer.headers["Cache-Control"] for answer in answers] == ["public,immutable"] * 2
    assert known.status_code == 304
    assert known.headers["Cache-Control"] == "public,immutable"


async def test_a_photo_that_is_not_there_yet_is_asked_for_again(
    client: httpx.AsyncClient, photo: str, listings: Upstream
) -> None:
    for _ in range(2):
        assert (await client.get(f"{photo}?status=404")).status_code == 404

    assert listings.requests.count(f"GET {photo}") == 2
