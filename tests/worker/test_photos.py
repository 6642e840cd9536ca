"""From one picture to three sizes: the files are there before listings is told, and it is told when they cannot be."""

import asyncio
from uuid import UUID, uuid4

import pytest
from nexus_contracts.photos import ORIGINAL, PhotoSize, PhotoUploaded, key_of
from nexus_kit.objects import Objects
from nexus_kit.testing import Service

from tests import pictures
from tests.pictures import BLUE, RED, is_like, opened
from tests.worker.world import World, eventually, inbox_holds


@pytest.fixture
def store(photos_url: str) -> Objects:
    """The one that the worker shares with listings."""
    return Objects(photos_url)


async def an_uploaded(store: Objects, file: bytes) -> PhotoUploaded:
    """A photo whose original is kept."""
    photo_id = uuid4()
    await store.put(key_of(photo_id, ORIGINAL), file)
    return PhotoUploaded(photo_id=photo_id, listing_id=uuid4(), width=2560, height=1707)


async def told(world: World, photo_id: UUID) -> list[tuple[str, object]]:
    """What listings was told of it, once it was."""

    async def look() -> list[tuple[str, object]]:
        assert photo_id in world.listings.photos
        return world.listings.photos[photo_id]

    return await eventually(look)


async def sizes(store: Objects, photo_id: UUID) -> dict[str, tuple[int, int]]:
    """Width and height of every size that is there."""
    found = {}
    for size in PhotoSize:
        file = await store.read(key_of(photo_id, size.file))
        if file is not None:
            assert opened(file).format == "WEBP"
            found[str(size)] = opened(file).size
    return found


async def test_a_photo_gets_its_sizes_before_listings_is_told(world: World, store: Objects) -> None:
    photo = await an_uploaded(store, pictures.jpeg(2560, 1707))

    await world.happens(photo)

    assert await told(world, photo.photo_id) == [("ready", None)]
    assert await sizes(store, photo.photo_id) == {"small": (320, 213), "medium": (960, 640), "large": (1920, 1280)}
    small = opened(await store.read(key_of(photo.photo_id, PhotoSize.SMALL.file)) or b"")
    assert is_like(small.getpixel((20, 100)), RED)
    assert is_like(small.getpixel((300, 100)), BLUE)


@pytest.mark.parametrize(
    ("original", "expected"),
    [
        ((700, 500), {"small": (320, 229), "medium": (700, 500), "large": (700, 500)}),
        ((200, 2000), {"small": (32, 320), "medium": (96, 960), "large": (192, 1920)}),
    ],
)
async def test_no_size_is_larger_than_the_original_nor_out_of_proportion(
    world: World, store: Objects, original: tuple[int, int], expected: dict[str, tuple[int, int]]
) -> None:
    photo = await an_uploaded(store, pictures.jpeg(*original))

    await world.happens(photo)

    await told(world, photo.photo_id)
    assert await sizes(store, photo.photo_id) == expected
    assert {size.value: size.fit(*original) for size in PhotoSize} == expected


async def test_the_same_event_again_does_nothing(world: World, store: Objects, service: Service) -> None:
    photo = await an_uploaded(store, pictures.jpeg())

    event = await world.happens(photo, times=5)

    await eventually(lambda: inbox_holds(service, event, ["make_photo_sizes"]))
    assert world.listings.photos[photo.photo_id] == [("ready", None)]


@pytest.mark.parametrize(
    "file", [b"", b"no picture", pictures.jpeg()[:-3000]], ids=["empty", "no picture", "cut short"]
)
async def test_what_cannot_be_read_after_all_is_told_with_its_reason(
    world: World, store: Objects, service: Service, file: bytes
) -> None:
    photo = await an_uploaded(store, file)

    event = await world.happens(photo)

    ((outcome, body),) = await told(world, photo.photo_id)
    assert outcome == "failed"
    assert isinstance(body, dict)
    assert body["reason"].startswith("The file as it was kept cannot be read")
    assert await sizes(store, photo.photo_id) == {}
    await eventually(lambda: inbox_holds(service, event, ["make_photo_sizes"]))


async def test_a_photo_that_was_removed_in_the_meantime_is_no_dead_letter(world: World, service: Service) -> None:
    photo = PhotoUploaded(photo_id=uuid4(), listing_id=uuid4(), width=1, height=1)
    world.listings.removed_photos.add(photo.photo_id)

    event = await world.happens(photo)

    await eventually(lambda: inbox_holds(service, event, ["make_photo_sizes"]))


async def test_a_photo_whose_file_is_not_in_this_store_waits_for_it(
    world: World, store: Objects, service: Service
) -> None:
    photo = PhotoUploaded(photo_id=uuid4(), listing_id=uuid4(), width=2560, height=1707)

    event = await world.happens(photo)
    await asyncio.sleep(1)
    before = world.listings.photos.get(photo.photo_id)
    await store.put(key_of(photo.photo_id, ORIGINAL), pictures.jpeg())

    assert before is None
    assert await told(world, photo.photo_id) == [("ready", None)]
    await eventually(lambda: inbox_holds(service, event, ["make_photo_sizes"]))


async def test_while_listings_is_away_the_photo_waits(world: World, store: Objects, service: Service) -> None:
    photo = await an_uploaded(store, pictures.jpeg())
    world.listings.failing_with = 503
    refused = world.listings.refused

    event = await world.happens(photo)

    async def was_asked() -> None:
        assert world.listings.refused > refused

    await eventually(was_asked)
    world.listings.failing_with = None
    assert await told(world, photo.photo_id) == [("ready", None)]
    await eventually(lambda: inbox_holds(service, event, ["make_photo_sizes"]))
