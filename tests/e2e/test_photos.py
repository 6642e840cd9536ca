"""A host uploads photos through the gateway, the worker makes their sizes, everybody sees them: only their pixels."""

import asyncio
from typing import Any

import httpx

from tests import pictures
from tests.actors import Actor, eventually, succeeded
from tests.pictures import RED, SECRET, is_like, opened


async def upload(host: Actor, listing: dict[str, Any], file: bytes, kind: str = "image/jpeg") -> httpx.Response:
    """Send the file as it is."""
    path = f"/listings/{listing['id']}/photos"
    return await host.call("POST", path, params={"alt": "The lake"}, content=file, headers={"Content-Type": kind})


async def shown(reader: Actor, listing: dict[str, Any], number: int) -> list[dict[str, Any]]:
    """The photos of a listing, once there are so many."""

    async def look() -> list[dict[str, Any]]:
        photos: list[dict[str, Any]] = (await reader.get(f"/listings/{listing['id']}"))["photos"]
        assert len(photos) == number
        return photos

    return await eventually(look)


async def test_a_photo_goes_from_the_hosts_phone_to_every_guests_screen(host: Actor, anybody: Actor) -> None:
    listing = await host.publish_listing()

    photo = succeeded(await upload(host, listing, pictures.with_exif(orientation=6)))

    (seen,) = await shown(anybody, listing, 1)
    assert (seen["id"], seen["alt"]) == (photo["id"], "The lake")
    for size in ("small", "medium", "large"):
        answer = await anybody.call("GET", f"{anybody.gateway}{seen['sizes'][size]['url']}")
        assert answer.headers["Content-Type"] == "image/webp"
        assert answer.headers["Cache-Control"] == "public, max-age=31536000, immutable"
        assert SECRET not in answer.content
        image = opened(answer.content)
        assert image.size == (seen["sizes"][size]["width"], seen["sizes"][size]["height"])
        assert is_like(image.getpixel((image.width // 2, image.height // 4)), RED)
        known = {"If-None-Match": answer.headers["ETag"]}
        again = await anybody.call("GET", str(answer.request.url), headers=known)
        assert (again.status_code, again.content) == (304, b"")


async def test_ten_photos_at_once_keep_their_order_when_the_host_says_so(host: Actor, anybody: Actor) -> None:
    listing = await host.publish_listing()
    files = [pictures.encoded(pictures.picture(600 + n, 400), "PNG") for n in range(10)]

    answers = await asyncio.gather(*(upload(host, listing, file, "image/png") for file in files))
    wanted = [succeeded(answer)["id"] for answer in answers]
    await shown(anybody, listing, 10)
    order = await host.call("PUT", f"/listings/{listing['id']}/photos/order", json={"photo_ids": wanted})

    assert order.status_code == 200
    assert [photo["id"] for photo in await shown(anybody, listing, 10)] == wanted


async def test_a_file_of_just_the_limit_passes_the_gateway_and_one_byte_more_does_not(host: Actor) -> None:
    listing = await host.publish_listing()
    file = pictures.jpeg()
    largest = file + b"\0" * (10 * 1024 * 1024 - len(file))

    assert (await upload(host, listing, largest)).status_code == 201
    answer = await upload(host, listing, largest + b"\0")

    assert (answer.status_code, answer.json()["code"]) == (413, "payload_too_large")
    assert answer.json()["detail"] == "A request body may have 10 MiB."


async def test_a_disguised_file_is_refused_with_its_reason(host: Actor) -> None:
    listing = await host.publish_listing()

    answer = await upload(host, listing, b"<svg xmlns='http://www.w3.org/2000/svg'/>")

    assert (answer.status_code, answer.json()["code"]) == (415, "photo_format_unsupported")
