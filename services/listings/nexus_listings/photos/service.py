"""What a host does with photos, and what the worker reports of them. A listing's row carries those that are ready.

Nothing is half stored. Coming: the object, under a key that nobody knows yet, then the row that names it. Going: the
row, then the objects. Whatever ends in between leaves objects without a row, and `sweep` removes those.
"""

from collections.abc import Sequence
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING
from uuid import UUID, uuid4

import structlog
from nexus_contracts.listings import ListingStatus
from nexus_contracts.photos import ORIGINAL, PhotoSize, PhotoUploaded, key_of
from nexus_kit.conditional import Preconditions
from nexus_kit.db import Database
from nexus_kit.errors import Conflict, NotFound, Problem, Unavailable, Unprocessable
from nexus_kit.objects import Objects
from nexus_kit.outbox import emit
from sqlalchemy import delete, select
from sqlalchemy.ext.asyncio import AsyncSession

from nexus_listings.listings import service as listings
from nexus_listings.listings.models import Listing
from nexus_listings.photos.models import Photo, PhotoStatus, ShownPhoto
from nexus_listings.pictures import Picture
from nexus_listings.publicly import forget_pages

if TYPE_CHECKING:
    from obstore import GetResult

log = structlog.get_logger(__name__)

YOUNG = timedelta(hours=1)
"""An object without a row is left alone for so long: its upload may still be under way."""

_AT_A_TIME = 100

FILES = (ORIGINAL, *(size.file for size in PhotoSize))


class TooManyPhotos(Conflict):
    """The listing has as many photos as it can have."""


class PhotoOrderIncomplete(Unprocessable):
    """An order names every photo of the listing once, and no other."""


CONSTRAINTS: dict[str, type[Problem]] = {"ck_photos_position": TooManyPhotos}


async def expect(session: AsyncSession, listing_id: UUID, host_id: UUID) -> None:
    """Raise unless a photo could be added to the host's listing. Asked before the upload is read."""
    await _changeable(session, listing_id, host_id)


async def add(
    session: AsyncSession, store: Objects, listing_id: UUID, host_id: UUID, picture: Picture, alt: str
) -> Photo:
    """Keep a picture as the last of a listing. The same upload again is the same photo."""
    photo_id = uuid4()
    await store.put(key_of(photo_id, ORIGINAL), picture.jpeg)  # before the session has a connection
    listing = await _changeable(session, listing_id, host_id)
    photos = await all_of(session, listing.id)
    for photo in photos:
        if photo.digest == picture.digest:
            return photo
    photo = Photo(
        id=photo_id,
        listing_id=listing.id,
        position=len(photos) + 1,
        alt=alt,
        status=PhotoStatus.PROCESSING,
        digest=picture.digest,
        width=picture.width,
        height=picture.height,
    )
    session.add(photo)
    await session.flush()
    uploaded = PhotoUploaded(photo_id=photo.id, listing_id=listing.id, width=photo.width, height=photo.height)
    await emit(session, uploaded, sequence=1)
    return photo


async def find(session: AsyncSession, listing_id: UUID, photo_id: UUID, host_id: UUID) -> Photo:
    """One photo of the host's listing."""
    return _among(await all_of_mine(session, listing_id, host_id), photo_id)


async def all_of_mine(session: AsyncSession, listing_id: UUID, host_id: UUID) -> Sequence[Photo]:
    """All photos of the host's listing, in their order."""
    if await session.scalar(select(Listing.id).where(Listing.id == listing_id, Listing.host_id == host_id)) is None:
        raise NotFound
    return await all_of(session, listing_id)


async def all_of(session: AsyncSession, listing_id: UUID) -> Sequence[Photo]:
    """All photos of a listing, in their order."""
    rows = await session.scalars(select(Photo).where(Photo.listing_id == listing_id).order_by(Photo.position))
    return rows.all()


async def describe(
    session: AsyncSession, listing_id: UUID, photo_id: UUID, host_id: UUID, *, alt: str, conditions: Preconditions
) -> Photo:
    """Say what a photo shows, if the host knows its present version. Changing nothing is no new version."""
    listing = await _changeable(session, listing_id, host_id)
    photos = await all_of(session, listing.id)
    photo = _among(photos, photo_id)
    conditions.must_match(photo.shown_version)
    if photo.alt != alt:
        photo.alt = alt
        photo.version += 1
        await _show(session, listing, photos)
    return photo


async def reorder(session: AsyncSession, listing_id: UUID, host_id: UUID, photo_ids: Sequence[UUID]) -> list[Photo]:
    """Put all photos in this order. The first becomes the cover."""
    listing = await _changeable(session, listing_id, host_id)
    there = {photo.id: photo for photo in await all_of(session, listing.id)}
    if sorted(photo_ids) != sorted(there):
        raise PhotoOrderIncomplete
    photos = [there[photo_id] for photo_id in photo_ids]
    _number(photos)
    await _show(session, listing, photos)
    return photos


async def remove(session: AsyncSession, listing_id: UUID, photo_id: UUID, host_id: UUID) -> None:
    """Take a photo away. Its files go when that is committed: `remove_files`."""
    listing = await _changeable(session, listing_id, host_id)
    photos = list(await all_of(session, listing.id))
    photo = _among(photos, photo_id)
    photos.remove(photo)
    await session.delete(photo)
    _number(photos)
    await _show(session, listing, photos)


async def remove_files(store: Objects, photo_id: UUID) -> None:
    """Those of a photo that is no more. A store that does not answer leaves them to `sweep`."""
    try:
        await store.remove([key_of(photo_id, file) for file in FILES])
    except Unavailable as exc:
        log.warning("files of a removed photo are left to the sweep", photo_id=str(photo_id), error=exc.detail)


async def finish(session: AsyncSession, photo_id: UUID, *, failure: str | None = None) -> None:
    """The worker has made the sizes of a photo, or could not. Told again, nothing changes."""
    listing = await listing_of(session, photo_id)
    photos = await all_of(session, listing.id)
    photo = _among(photos, photo_id)
    status = PhotoStatus.READY if failure is None else PhotoStatus.FAILED
    if photo.status is not status:
        photo.move(status)
        photo.reason = failure
        await _show(session, listing, photos)


async def listing_of(session: AsyncSession, photo_id: UUID) -> Listing:
    """The listing that shows the photo, locked. Once it is archived, its photos are no more."""
    whose = select(Listing).join(Photo, Photo.listing_id == Listing.id).where(Photo.id == photo_id)
    whose = whose.where(Listing.status != ListingStatus.ARCHIVED)
    listing = await session.scalar(whose.with_for_update(of=Listing))
    if listing is None:
        raise NotFound
    return listing


async def open_file(store: Objects, photo_id: UUID, size: PhotoSize) -> "GetResult":
    """One size of a photo, to be read. Asks the store alone: whoever knows the id may see it."""
    found = await store.get(key_of(photo_id, size.file))
    if found is None:
        raise NotFound
    return found


async def remove_archived(database: Database, store: Objects) -> None:
    """Forget the photos of archived listings, and remove their files; some in each transaction."""
    archived = select(Photo.id).join(Listing, Listing.id == Photo.listing_id)
    some = archived.where(Listing.status == ListingStatus.ARCHIVED).limit(_AT_A_TIME)
    while True:
        async with database.unit_of_work() as session:
            removed = (await session.scalars(delete(Photo).where(Photo.id.in_(some)).returning(Photo.id))).all()
        for photo_id in removed:
            await remove_files(store, photo_id)
        if not removed:
            return


async def sweep(database: Database, store: Objects) -> None:
    """Remove what lies in the store and belongs to no photo. It looks at the whole store: for what accidents leave."""
    async for page in store.pages():
        old = [each["path"] for each in page if each["last_modified"] < datetime.now(UTC) - YOUNG]
        orphans = await _without_row(database, old)
        await store.remove(orphans)
        if orphans:
            log.info("files without a photo removed", files=len(orphans))


async def _without_row(database: Database, keys: Sequence[str]) -> list[str]:
    """Those of our keys whose photo is not there; what somebody else put into the store is none of our business."""
    by_photo: dict[UUID, list[str]] = {}
    for key in keys:
        with suppress(ValueError):
            by_photo.setdefault(UUID(key.partition("/")[0]), []).append(key)
    async with database.unit_of_work() as session:
        known = set(await session.scalars(select(Photo.id).where(Photo.id.in_(by_photo))))
    return [key for photo_id, theirs in by_photo.items() if photo_id not in known for key in theirs]


async def _changeable(session: AsyncSession, listing_id: UUID, host_id: UUID) -> Listing:
    await listings.refuse_erased(session, host_id)
    listing = await listings.locked(session, listing_id, host_id)
    if listing.status is ListingStatus.ARCHIVED:
        raise listings.ListingArchived
    return listing


def _among(photos: Sequence[Photo], photo_id: UUID) -> Photo:
    for photo in photos:
        if photo.id == photo_id:
            return photo
    raise NotFound


def _number(photos: Sequence[Photo]) -> None:
    for position, photo in enumerate(photos, start=1):
        photo.position = position


async def _show(session: AsyncSession, listing: Listing, photos: Sequence[Photo]) -> None:
    """Bring the listing up to date. No new version: no edit of the rest fails for it, and bookings shows no photos."""
    listing.photos = [ShownPhoto.model_validate(photo) for photo in photos if photo.status is PhotoStatus.READY]
    if listing.published_at is not None and session.is_modified(listing):
        forget_pages(session)
    await session.flush()
