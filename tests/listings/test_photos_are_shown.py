"""From processing to shown: what the worker reports, what hosts arrange, and what everybody sees of it."""

from io import BytesIO
from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest
from nexus_contracts.listings import ListingUpdated
from nexus_contracts.photos import PhotoSize, key_of
from nexus_kit.objects import Objects
from nexus_kit.testing import Service, from_service

from tests import pictures
from tests.listings.given import API, a_draft, a_listing, change


async def a_photo(host: httpx.AsyncClient, listing_id: str, *, width: int = 1200) -> dict[str, Any]:
    """One whose sizes are being made; photos of another width are other photos."""
    answer = await host.post(
        f"{API}/listings/{listing_id}/photos",
        content=pictures.jpeg(width, 800),
        headers={"Content-Type": "image/jpeg"},
    )
    assert answer.status_code == 201, answer.text
    photo: dict[str, Any] = answer.json()
    return photo


async def the_worker_says(
    service: Service, photo_id: str, outcome: str, body: dict[str, str] | None = None
) -> httpx.Response:
    """What it reports of a photo."""
    async with service.client(**from_service("worker", "listings")) as worker:
        return await worker.post(f"/internal/photos/{photo_id}/{outcome}", json=body)


async def a_ready_photo(host: httpx.AsyncClient, service: Service, listing_id: str, *, width: int = 1200) -> str:
    """The id of one whose sizes are made."""
    photo = await a_photo(host, listing_id, width=width)
    store: Objects = service.app.state.objects
    for size in PhotoSize:
        await store.put(key_of(UUID(photo["id"]), size.file), f"the {size} picture".encode())
    assert (await the_worker_says(service, photo["id"], "ready")).status_code == 204
    photo_id: str = photo["id"]
    return photo_id


async def shown(client: httpx.AsyncClient, listing_id: str) -> list[str]:
    """The photos that somebody sees, by their ids."""
    return [photo["id"] for photo in (await client.get(f"{API}/listings/{listing_id}")).json()["photos"]]


async def test_a_photo_is_shown_to_others_when_it_is_ready(
    host: httpx.AsyncClient, client: httpx.AsyncClient, service: Service
) -> None:
    listing = await a_listing(host)
    photo = await a_photo(host, listing["id"])
    before = await client.get(f"{API}/listings/{listing['id']}")

    assert (await the_worker_says(service, photo["id"], "ready")).status_code == 204

    assert before.json()["photos"] == []
    after = await client.get(f"{API}/listings/{listing['id']}")
    (seen,) = after.json()["photos"]
    assert seen == {name: photo[name] for name in ("id", "alt", "width", "height", "sizes")}
    assert after.headers["ETag"] != before.headers["ETag"]
    known = {"If-None-Match": before.headers["ETag"]}
    assert (await client.get(f"{API}/listings/{listing['id']}", headers=known)).status_code == 200
    assert ListingUpdated not in [type(event.data) for event in await service.published()], "bookings shows no photos"
    (mine,) = (await host.get(f"{API}/listings/{listing['id']}/photos")).json()["items"]
    assert mine["status"] == "ready"


async def test_a_photo_that_becomes_ready_does_not_stop_an_edit_of_the_price(
    host: httpx.AsyncClient, service: Service
) -> None:
    listing = await a_listing(host)
    address = f"{API}/listings/{listing['id']}"
    await a_ready_photo(host, service, listing["id"], width=400)
    seen = {"If-Match": (await host.get(address)).headers["ETag"]}

    await a_ready_photo(host, service, listing["id"], width=500)
    cheaper = await host.patch(address, json={"price": {"amount": 400000, "currency": "ETB"}}, headers=seen)
    stale = await host.patch(address, json={"title": "Another"}, headers=seen)

    assert (cheaper.status_code, cheaper.json()["price"]["amount"], len(cheaper.json()["photos"])) == (200, 400000, 2)
    assert (stale.status_code, stale.headers["ETag"]) == (412, cheaper.headers["ETag"])


async def test_being_told_twice_changes_nothing(
    host: httpx.AsyncClient, client: httpx.AsyncClient, service: Service
) -> None:
    listing = await a_listing(host)
    photo_id = await a_ready_photo(host, service, listing["id"])
    before = await client.get(f"{API}/listings/{listing['id']}")

    again = await the_worker_says(service, photo_id, "ready")
    contrary = await the_worker_says(service, photo_id, "failed", {"reason": "no"})

    assert again.status_code == 204
    assert (contrary.status_code, contrary.json()["code"]) == (409, "illegal_transition")
    assert (await client.get(f"{API}/listings/{listing['id']}")).headers["ETag"] == before.headers["ETag"]


async def test_why_a_photo_failed_is_told_its_host_and_nobody_else(
    host: httpx.AsyncClient, client: httpx.AsyncClient, service: Service
) -> None:
    listing = await a_listing(host)
    photo = await a_photo(host, listing["id"])

    await the_worker_says(service, photo["id"], "failed", {"reason": "The file cannot be read."})

    (mine,) = (await host.get(f"{API}/listings/{listing['id']}/photos")).json()["items"]
    assert (mine["status"], mine["reason"]) == ("failed", "The file cannot be read.")
    assert await shown(client, listing["id"]) == []
    assert (await client.get(f"{API}/listings/{listing['id']}/photos")).status_code == 401


async def test_the_worker_is_told_when_a_photo_is_no_more(host: httpx.AsyncClient, service: Service) -> None:
    listing = await a_listing(host)
    photo = await a_photo(host, listing["id"])
    await host.delete(f"{API}/listings/{listing['id']}")

    assert (await the_worker_says(service, photo["id"], "ready")).status_code == 404
    assert (await the_worker_says(service, str(uuid4()), "ready")).status_code == 404


async def test_nobody_but_a_service_reports(host: httpx.AsyncClient) -> None:
    assert (await host.post(f"/internal/photos/{uuid4()}/ready")).status_code == 401


async def test_a_host_arranges_the_photos(host: httpx.AsyncClient, client: httpx.AsyncClient, service: Service) -> None:
    listing = await a_listing(host)
    first, second, third = [await a_ready_photo(host, service, listing["id"], width=w) for w in (400, 500, 600)]

    answer = await host.put(f"{API}/listings/{listing['id']}/photos/order", json={"photo_ids": [third, first, second]})

    assert [photo["id"] for photo in answer.json()["items"]] == [third, first, second]
    assert await shown(client, listing["id"]) == [third, first, second]


async def test_the_first_photo_that_is_ready_is_the_cover_of_the_card(
    host: httpx.AsyncClient, client: httpx.AsyncClient, service: Service
) -> None:
    listing = await a_listing(host)

    async def cover() -> dict[str, Any] | None:
        (card,) = (await client.get(f"{API}/listings")).json()["items"]
        found: dict[str, Any] | None = card["cover"]
        return found

    assert await cover() is None
    await a_photo(host, listing["id"], width=300)
    second, third = [await a_ready_photo(host, service, listing["id"], width=width) for width in (400, 500)]
    whole = (await client.get(f"{API}/listings/{listing['id']}")).json()["photos"]
    assert await cover() == whole[0]
    assert whole[0]["id"] == second
    await host.delete(f"{API}/listings/{listing['id']}/photos/{second}")
    assert ((await cover()) or {})["id"] == third


async def test_an_order_names_every_photo_once(host: httpx.AsyncClient, service: Service) -> None:
    listing = await a_listing(host)
    one, other = [await a_ready_photo(host, service, listing["id"], width=width) for width in (400, 500)]

    for wrong in ([one], [one, one], [one, other, str(uuid4())], []):
        answer = await host.put(f"{API}/listings/{listing['id']}/photos/order", json={"photo_ids": wrong})
        assert (answer.status_code, answer.json()["code"]) == (422, "photo_order_incomplete"), wrong


async def test_a_photo_that_goes_leaves_no_gap_and_no_file(
    host: httpx.AsyncClient, client: httpx.AsyncClient, service: Service
) -> None:
    listing = await a_listing(host)
    first, second, third = [await a_ready_photo(host, service, listing["id"], width=w) for w in (400, 500, 600)]

    answer = await host.delete(f"{API}/listings/{listing['id']}/photos/{second}")
    fourth = await a_ready_photo(host, service, listing["id"], width=700)

    assert answer.status_code == 204
    assert await shown(client, listing["id"]) == [first, third, fourth]
    assert (await client.get(f"{API}/photos/{second}/small.webp")).status_code == 404
    assert (await host.delete(f"{API}/listings/{listing['id']}/photos/{second}")).status_code == 404


async def test_a_description_is_changed_on_the_version_that_the_host_has_seen(
    host: httpx.AsyncClient, client: httpx.AsyncClient, service: Service
) -> None:
    listing = await a_listing(host)
    photo = await a_photo(host, listing["id"])
    address = f"{API}/listings/{listing['id']}/photos/{photo['id']}"
    read = await host.get(address)
    seen = read.headers["ETag"]
    await the_worker_says(service, photo["id"], "ready")

    changed = await host.patch(address, json={"alt": "The lake"}, headers={"If-Match": seen})
    stale = await host.patch(address, json={"alt": "The sea"}, headers={"If-Match": seen})
    blind = await host.patch(address, json={"alt": "The sea"})

    assert (changed.status_code, stale.status_code, blind.status_code) == (200, 412, 428)
    assert read.json() == photo
    assert (await host.get(address, headers={"If-None-Match": seen})).json() == changed.json()
    assert (await host.get(address, headers={"If-None-Match": changed.headers["ETag"]})).status_code == 304
    (everybody_sees,) = (await client.get(f"{API}/listings/{listing['id']}")).json()["photos"]
    assert everybody_sees["alt"] == "The lake"


async def test_photos_are_arranged_by_their_host_alone(
    host: httpx.AsyncClient, guest: httpx.AsyncClient, service: Service
) -> None:
    listing, other = await a_listing(host), await a_draft(host)
    photo_id = await a_ready_photo(host, service, listing["id"])
    address = f"{API}/listings/{listing['id']}/photos"

    assert (await guest.get(address)).status_code == 404
    assert (await guest.get(f"{address}/{photo_id}")).status_code == 404
    assert (await guest.put(f"{address}/order", json={"photo_ids": [photo_id]})).status_code == 404
    assert (await guest.patch(f"{address}/{photo_id}", json={"alt": ""}, headers={"If-Match": "*"})).status_code == 404
    assert (await guest.delete(f"{address}/{photo_id}")).status_code == 404
    assert (await host.delete(f"{API}/listings/{other['id']}/photos/{photo_id}")).status_code == 404


async def test_a_change_of_the_listing_keeps_its_photos(
    host: httpx.AsyncClient, client: httpx.AsyncClient, service: Service
) -> None:
    listing = await a_listing(host)
    photo_id = await a_ready_photo(host, service, listing["id"])

    await change(host, listing["id"], title="Another title")

    assert await shown(client, listing["id"]) == [photo_id]
    assert (await change(host, listing["id"], photos=[])).status_code == 422


# ---------------------------------------------------------------------------------------------- its bytes


@pytest.mark.parametrize("size", PhotoSize)
async def test_everybody_sees_a_photo_and_may_keep_it_for_ever(
    host: httpx.AsyncClient, client: httpx.AsyncClient, service: Service, size: PhotoSize
) -> None:
    listing = await a_draft(host)
    photo_id = await a_ready_photo(host, service, listing["id"])

    answer = await client.get(f"{API}/photos/{photo_id}/{size}.webp")

    assert (answer.status_code, answer.content) == (200, f"the {size} picture".encode())
    assert answer.headers["Content-Type"] == "image/webp"
    assert answer.headers["Content-Length"] == str(len(answer.content))
    assert answer.headers["Cache-Control"] == "public, max-age=31536000, immutable"
    again = await client.get(answer.request.url, headers={"If-None-Match": answer.headers["ETag"]})
    assert (again.status_code, again.content) == (304, b"")
    assert again.headers["Cache-Control"] == answer.headers["Cache-Control"]


@pytest.mark.parametrize("name", ["huge.webp", "small.jpg", "original.jpg", "original.webp", "..%2foriginal.jpg"])
async def test_there_is_no_other_file_of_it(
    host: httpx.AsyncClient, client: httpx.AsyncClient, service: Service, name: str
) -> None:
    photo_id = await a_ready_photo(host, service, (await a_draft(host))["id"])

    assert (await client.get(f"{API}/photos/{photo_id}/{name}")).status_code in (404, 422)


async def test_an_unknown_photo_is_not_found(client: httpx.AsyncClient) -> None:
    answer = await client.get(f"{API}/photos/{uuid4()}/small.webp")

    assert (answer.status_code, answer.json()["code"]) == (404, "not_found")


async def test_a_large_file_is_passed_on_piece_by_piece(
    host: httpx.AsyncClient, client: httpx.AsyncClient, service: Service
) -> None:
    photo_id = await a_ready_photo(host, service, (await a_draft(host))["id"])
    content = BytesIO(bytes(range(256)) * 8192).getvalue()
    store: Objects = service.app.state.objects
    await store.put(key_of(UUID(photo_id), PhotoSize.LARGE.file), content)

    assert (await client.get(f"{API}/photos/{photo_id}/large.webp")).content == content
