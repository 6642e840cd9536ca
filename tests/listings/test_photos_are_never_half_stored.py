"""Whatever fails or ends between two steps: no row without its file, and no file without a row for long."""

import asyncio
import os
import signal
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
import pytest
from nexus_kit.objects import Objects
from nexus_kit.testing import Service
from nexus_listings.photos import service as photos
from sqlalchemy import text

from tests import pictures
from tests.listings.given import API, a_draft, a_listing

JPEG = {"Content-Type": "image/jpeg"}
ROOT = Path(__file__).parents[2]
UPLOAD = """
import asyncio, io, sys, uuid
from nexus_kit.db import Database
from nexus_kit.objects import Objects
from nexus_listings.photos import service
from nexus_listings.pictures import develop
from tests import pictures

async def main(database_url, photos_url, listing_id, host_id):
    async with Database(database_url).unit_of_work() as session:
        picture = develop(io.BytesIO(pictures.jpeg()))
        await service.add(session, Objects(photos_url), uuid.UUID(listing_id), uuid.UUID(host_id), picture, "")

asyncio.run(main(*sys.argv[1:]))
"""
"""What the route does, as a process of its own."""


@pytest.fixture
def full_disk(photos_folder: Path) -> Iterator[None]:
    """Where the folder was is a file now: nothing can be written or read there, whoever tries (root, too)."""
    aside = photos_folder.with_name("aside")
    photos_folder.rename(aside)
    photos_folder.write_text("not a folder")
    yield
    photos_folder.unlink()
    aside.rename(photos_folder)


@pytest.fixture
async def store(service: Service, photos_folder: Path) -> Objects:
    """What the service keeps its files in, empty."""
    found: Objects = service.app.state.objects
    async for page in found.pages():
        await found.remove([each["path"] for each in page])
    return found


async def upload(host: httpx.AsyncClient, listing_id: str, *, width: int = 1200) -> httpx.Response:
    """Send a photo; one of another width is another photo."""
    file = pictures.jpeg(width, 200)
    return await host.post(f"{API}/listings/{listing_id}/photos", content=file, headers=JPEG)


def files(folder: Path) -> list[str]:
    """What lies in the store, without the folders."""
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


def make_old(folder: Path) -> None:
    """Two hours pass."""
    before = datetime.now(UTC).timestamp() - 7200
    for path in folder.rglob("*"):
        os.utime(path, (before, before))


async def rows(service: Service) -> list[Any]:
    async with service.database.unit_of_work() as session:
        return list((await session.execute(text("SELECT id FROM photos"))).scalars())


@pytest.mark.usefixtures("full_disk")
async def test_a_store_that_cannot_be_written_to_leaves_no_row(host: httpx.AsyncClient, service: Service) -> None:
    listing = await a_draft(host)

    answer = await upload(host, listing["id"])

    assert (answer.status_code, answer.json()["code"]) == (503, "unavailable")
    assert answer.headers["Retry-After"] == "1"
    assert await rows(service) == []
    assert await service.published() == []


@pytest.mark.usefixtures("full_disk")
async def test_a_store_that_does_not_answer_is_a_503_to_whoever_looks(client: httpx.AsyncClient) -> None:
    answer = await client.get(f"{API}/photos/{uuid4()}/small.webp")

    assert (answer.status_code, answer.json()["code"]) == (503, "unavailable")


async def test_a_file_whose_row_was_refused_is_swept_when_it_is_old(
    host: httpx.AsyncClient, service: Service, store: Objects, photos_folder: Path
) -> None:
    listing = await a_draft(host)
    taken = [(await upload(host, listing["id"], width=200 + number)).json()["id"] for number in range(20)]
    assert (await upload(host, listing["id"], width=300)).status_code == 409

    await photos.sweep(service.database, store)
    young = files(photos_folder)
    make_old(photos_folder)
    await photos.sweep(service.database, store)

    assert len(young) == 21
    assert files(photos_folder) == sorted(f"{photo_id}/original.jpg" for photo_id in taken)


async def test_a_process_killed_between_file_and_row_leaves_nothing_but_a_file_to_sweep(
    host: httpx.AsyncClient, service: Service, store: Objects, photos_folder: Path
) -> None:
    """It dies of SIGKILL while it waits for the lock of the listing, which another transaction holds."""
    listing = await a_draft(host)
    url = service.database.engine.url.render_as_string(hide_password=False)
    arguments = (url, photos_folder.as_uri(), listing["id"], listing["host_id"])
    async with service.database.unit_of_work() as session:
        await session.execute(text("SELECT 1 FROM listings WHERE id = :id FOR UPDATE"), {"id": listing["id"]})
        process = await asyncio.create_subprocess_exec(sys.executable, "-c", UPLOAD, *arguments, cwd=ROOT)
        async with asyncio.timeout(30):
            while not files(photos_folder):  # noqa: ASYNC110 - another process writes them
                await asyncio.sleep(0.02)
        process.kill()
        assert await process.wait() == -signal.SIGKILL

    assert await rows(service) == []
    make_old(photos_folder)
    await photos.sweep(service.database, store)
    assert files(photos_folder) == []


async def test_files_that_a_removal_left_behind_are_swept(
    host: httpx.AsyncClient, service: Service, store: Objects, photos_folder: Path
) -> None:
    listing = await a_draft(host)
    kept, removed = (await upload(host, listing["id"])).json()["id"], uuid4()
    for file in photos.FILES:
        await store.put(f"{removed}/{file}", b"left behind")
    await store.put("notes/readme.txt", b"not ours")
    make_old(photos_folder)

    await photos.sweep(service.database, store)

    assert files(photos_folder) == [f"{kept}/original.jpg", "notes/readme.txt"]


async def test_the_photos_of_a_removed_listing_go_too(
    host: httpx.AsyncClient, service: Service, store: Objects, photos_folder: Path
) -> None:
    listing = await a_listing(host)
    await upload(host, listing["id"])
    await host.delete(f"{API}/listings/{listing['id']}")

    await photos.remove_archived(service.database, store)

    assert await rows(service) == []
    assert files(photos_folder) == []
    assert (await host.get(f"{API}/listings/{listing['id']}")).json()["photos"] == []
