"""An upload is looked at before it is kept: what is not one whole picture is refused, and only pixels are kept."""

import asyncio
import resource
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest
from nexus_contracts.photos import PhotoUploaded
from nexus_kit.testing import Service
from PIL import Image, ImageCms

from tests import pictures
from tests.listings.given import API, a_draft, a_listing
from tests.pictures import BLUE, RED, SECRET, is_like, opened


async def upload(
    host: httpx.AsyncClient, listing_id: str, file: bytes | AsyncIterator[bytes], kind: str = "image/jpeg", **query: Any
) -> httpx.Response:
    """Send the file."""
    headers = {"Content-Type": kind}
    return await host.post(f"{API}/listings/{listing_id}/photos", content=file, headers=headers, params=query)


def stored(folder: Path) -> set[Path]:
    """All that lies in the store."""
    return set(folder.rglob("*"))


def kept(folder: Path, answer: httpx.Response) -> bytes:
    """What was stored of an upload that was taken."""
    assert answer.status_code == 201, answer.text
    photo_id: str = answer.json()["id"]
    return (folder / photo_id / "original.jpg").read_bytes()


async def test_a_photo_is_kept_announced_and_waits_for_its_sizes(
    host: httpx.AsyncClient, service: Service, photos_folder: Path
) -> None:
    listing = await a_draft(host)

    answer = await upload(host, listing["id"], pictures.jpeg(1200, 800), alt="The terrace")

    assert answer.status_code == 201
    photo = answer.json()
    assert photo["status"] == "processing"
    assert (photo["alt"], photo["width"], photo["height"], photo["reason"]) == ("The terrace", 1200, 800, None)
    assert photo["sizes"]["small"] == {"url": f"{API}/photos/{photo['id']}/small.webp", "width": 320, "height": 213}
    assert photo["sizes"]["large"]["width"] == 1200
    assert opened(kept(photos_folder, answer)).size == (1200, 800)
    (event,) = await service.published()
    assert event.data == PhotoUploaded(
        photo_id=UUID(photo["id"]), listing_id=UUID(listing["id"]), width=1200, height=800
    )


async def test_only_pixels_are_kept_and_they_stand_upright(host: httpx.AsyncClient, photos_folder: Path) -> None:
    listing = await a_draft(host)

    file = kept(photos_folder, await upload(host, listing["id"], pictures.with_exif(orientation=6)))

    assert SECRET in pictures.with_exif()
    assert SECRET not in file
    image = opened(file)
    assert not image.getexif()
    assert not {"exif", "icc_profile", "comment", "xmp"} & image.info.keys()
    assert image.size == (800, 1200)  # held upright: what was on the left is at the top
    assert is_like(image.getpixel((400, 100)), RED)
    assert is_like(image.getpixel((400, 1100)), BLUE)


async def test_what_is_hidden_behind_a_picture_is_not_kept(host: httpx.AsyncClient, photos_folder: Path) -> None:
    listing = await a_draft(host)
    polyglot = pictures.jpeg() + b"<html><script>alert(1)</script>PK\x03\x04"

    file = kept(photos_folder, await upload(host, listing["id"], polyglot))

    assert b"script" not in file


@pytest.mark.parametrize("kind", ["PNG", "WEBP"])
@pytest.mark.parametrize("mode", ["RGB", "RGBA", "L", "LA", "P", "1"])
async def test_every_way_of_storing_colours_is_understood(
    host: httpx.AsyncClient, photos_folder: Path, kind: str, mode: str
) -> None:
    listing = await a_draft(host)
    file = pictures.encoded(pictures.picture(400, 300, mode), kind)

    image = opened(kept(photos_folder, await upload(host, listing["id"], file)))

    assert (image.format, image.mode, image.size) == ("JPEG", "RGB", (400, 300))


async def test_transparency_becomes_white_and_sixteen_bits_become_eight(
    host: httpx.AsyncClient, photos_folder: Path
) -> None:
    listing = await a_draft(host)

    image = opened(kept(photos_folder, await upload(host, listing["id"], pictures.sixteen_bit_png(), "image/png")))

    assert is_like(image.getpixel((100, 150)), RED)
    assert is_like(image.getpixel((300, 150)), (255, 255, 255))


async def test_sixteen_bits_of_grey_keep_their_brightness(host: httpx.AsyncClient, photos_folder: Path) -> None:
    listing = await a_draft(host)
    grey = Image.new("I;16", (300, 300), 0x8000)

    image = opened(kept(photos_folder, await upload(host, listing["id"], pictures.encoded(grey, "PNG"), "image/png")))

    assert is_like(image.getpixel((150, 150)), (128, 128, 128))


async def test_a_print_file_looks_as_it_did(host: httpx.AsyncClient, photos_folder: Path) -> None:
    listing = await a_draft(host)
    cmyk = pictures.encoded(pictures.picture(mode="CMYK"), "JPEG", quality=95)

    image = opened(kept(photos_folder, await upload(host, listing["id"], cmyk)))

    assert image.mode == "RGB"
    assert is_like(image.getpixel((100, 400)), RED)


async def test_colours_of_another_space_are_converted(host: httpx.AsyncClient, photos_folder: Path) -> None:
    listing = await a_draft(host)

    image = opened(
        kept(photos_folder, await upload(host, listing["id"], pictures.jpeg(icc_profile=pictures.red_is_blue())))
    )

    assert is_like(image.getpixel((100, 400)), BLUE)
    assert is_like(image.getpixel((1100, 400)), RED)


@pytest.mark.parametrize(
    "profile", [b"no profile at all", ImageCms.ImageCmsProfile(ImageCms.createProfile("LAB")).tobytes()]
)
async def test_a_profile_that_makes_no_sense_is_ignored(
    host: httpx.AsyncClient, photos_folder: Path, profile: bytes
) -> None:
    listing = await a_draft(host)

    image = opened(kept(photos_folder, await upload(host, listing["id"], pictures.jpeg(icc_profile=profile))))

    assert is_like(image.getpixel((100, 400)), RED)


async def test_a_picture_is_kept_no_larger_than_it_is_ever_needed(host: httpx.AsyncClient, photos_folder: Path) -> None:
    listing = await a_draft(host)

    answer = await upload(host, listing["id"], pictures.jpeg(6000, 3000))

    assert (answer.json()["width"], answer.json()["height"]) == (2560, 1280)
    assert opened(kept(photos_folder, answer)).size == (2560, 1280)


async def test_the_photo_before_the_depth_map_of_a_phone_is_the_photo(
    host: httpx.AsyncClient, photos_folder: Path
) -> None:
    listing = await a_draft(host)
    file = pictures.encoded(pictures.picture(), "MPO", save_all=True, append_images=[pictures.picture(300, 200)])

    assert opened(kept(photos_folder, await upload(host, listing["id"], file))).size == (1200, 800)


REFUSED = {
    "a GIF called JPEG": (pictures.encoded(pictures.picture(), "GIF"), 415, "photo_format_unsupported"),
    "an SVG": (b'<svg xmlns="http://www.w3.org/2000/svg"><script/></svg>', 415, "photo_format_unsupported"),
    "a page": (b"<!doctype html><script>alert(1)</script>" * 100, 415, "photo_format_unsupported"),
    "nothing": (b"", 415, "photo_format_unsupported"),
    "a JPEG cut short": (pictures.jpeg()[:-2000], 422, "photo_broken"),
    "a PNG cut short": (pictures.encoded(pictures.picture(), "PNG")[:-2000], 422, "photo_broken"),
    "a WebP cut short": (pictures.encoded(pictures.picture(), "WEBP")[:-100], 422, "photo_broken"),
    "the head of a JPEG": (b"\xff\xd8\xff\xe0" + b"\0" * 5000, 422, "photo_broken"),
    "the head of a PNG": (b"\x89PNG\r\n\x1a\n" + b"\0" * 5000, 422, "photo_broken"),
    "an animated WebP": (pictures.animated("WEBP"), 422, "photo_animated"),
    "an animated PNG": (pictures.animated("PNG"), 422, "photo_animated"),
    "a stamp": (pictures.jpeg(800, 199), 422, "photo_too_small"),
    "a PNG bomb": (pictures.png_bomb(), 422, "photo_has_too_many_pixels"),
    "a smaller PNG bomb": (pictures.png_bomb(10_000, 10_000), 422, "photo_has_too_many_pixels"),
    "a WebP bomb": (pictures.webp_bomb(), 422, "photo_has_too_many_pixels"),
    "51 megapixels": (pictures.png_bomb(8500, 6000), 422, "photo_has_too_many_pixels"),
}


@pytest.mark.parametrize("name", REFUSED)
async def test_what_is_not_one_whole_picture_is_refused_with_its_reason(
    host: httpx.AsyncClient, service: Service, photos_folder: Path, name: str
) -> None:
    listing = await a_draft(host)
    file, status, code = REFUSED[name]
    before = stored(photos_folder)

    answer = await upload(host, listing["id"], file)

    assert (answer.status_code, answer.json()["code"]) == (status, code)
    assert stored(photos_folder) == before
    assert await service.published() == []
    assert (await host.get(f"{API}/listings/{listing['id']}/photos")).json() == {"items": []}


async def test_a_bomb_is_refused_before_it_goes_off(host: httpx.AsyncClient) -> None:
    listing = await a_draft(host)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss

    for bomb in (pictures.png_bomb(), pictures.webp_bomb()):
        await upload(host, listing["id"], bomb)

    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 32 * 1024  # kB; it would be 1 to 3 GB


@pytest.mark.parametrize("kind", ["application/json", "image/gif", "text/html", "application/x-www-form-urlencoded"])
async def test_another_media_type_is_refused_before_the_body_is_read(host: httpx.AsyncClient, kind: str) -> None:
    listing = await a_draft(host)

    answer = await upload(host, listing["id"], pictures.jpeg(), kind)

    assert (answer.status_code, answer.json()["code"]) == (415, "unsupported_media_type")


async def test_a_body_over_ten_mebibytes_is_refused_as_it_arrives(host: httpx.AsyncClient) -> None:
    listing = await a_draft(host)
    sent = 0

    async def endless() -> AsyncIterator[bytes]:
        nonlocal sent
        while True:
            sent += 65_536
            yield b"\xff" * 65_536

    answer = await upload(host, listing["id"], endless())

    assert (answer.status_code, answer.json()["code"]) == (413, "payload_too_large")
    assert answer.json()["detail"] == "A request body may have 10 MiB."
    assert sent <= 11 * 1024 * 1024


async def test_other_addresses_still_take_one_mebibyte(host: httpx.AsyncClient) -> None:
    listing = await a_draft(host)

    answer = await host.put(f"{API}/listings/{listing['id']}/photos/order", content=b" " * 1_100_000)

    assert (answer.status_code, answer.json()["detail"]) == (413, "A request body may have 1 MiB.")


async def test_the_same_bytes_again_are_the_same_photo(host: httpx.AsyncClient, service: Service) -> None:
    listing = await a_draft(host)

    answers = await asyncio.gather(*(upload(host, listing["id"], pictures.jpeg()) for _ in range(4)))

    assert [answer.status_code for answer in answers] == [201] * 4
    assert len({answer.json()["id"] for answer in answers}) == 1
    assert len(await service.published()) == 1


async def test_of_many_who_race_for_the_last_places_just_twenty_get_one(host: httpx.AsyncClient) -> None:
    listing = await a_draft(host)
    for number in range(17):
        assert (await upload(host, listing["id"], pictures.jpeg(200 + number, 200))).status_code == 201

    answers = await asyncio.gather(*(upload(host, listing["id"], pictures.jpeg(300 + n, 200)) for n in range(9)))

    assert sorted(answer.status_code for answer in answers) == [201] * 3 + [409] * 6
    assert {answer.json()["code"] for answer in answers if answer.status_code == 409} == {"too_many_photos"}
    photos = (await host.get(f"{API}/listings/{listing['id']}/photos")).json()["items"]
    assert len(photos) == 20
    assert (await upload(host, listing["id"], pictures.jpeg(200, 200))).json()["id"] == photos[0]["id"]


async def test_only_its_host_adds_photos_and_none_to_what_was_removed(
    host: httpx.AsyncClient, guest: httpx.AsyncClient, client: httpx.AsyncClient
) -> None:
    listing = await a_listing(host)

    assert (await upload(client, listing["id"], pictures.jpeg())).status_code == 401
    assert (await upload(guest, listing["id"], pictures.jpeg())).status_code == 404
    assert (await upload(host, str(uuid4()), pictures.jpeg())).status_code == 404
    await host.delete(f"{API}/listings/{listing['id']}")
    assert (await upload(host, listing["id"], pictures.jpeg())).json()["code"] == "listing_archived"


async def test_the_reference_offers_to_choose_a_file(client: httpx.AsyncClient) -> None:
    call = (await client.get("/openapi.json")).json()["paths"][f"{API}/listings/{{listing_id}}/photos"]["post"]

    assert call["requestBody"]["content"].keys() == {"image/jpeg", "image/png", "image/webp"}
    assert call["requestBody"]["content"]["image/jpeg"]["schema"] == {"type": "string", "format": "binary"}
