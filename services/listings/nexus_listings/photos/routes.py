"""The addresses of photos: a host uploads and arranges them, everybody sees them, the worker reports what it made."""

from collections.abc import AsyncIterator
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Depends, Path, Query, Request, Response
from fastapi.responses import StreamingResponse
from nexus_contracts.photos import PhotoSize
from nexus_kit.auth import CurrentUser, ServiceCaller
from nexus_kit.conditional import Conditional, etag
from nexus_kit.db import SessionDep, UnitOfWork
from nexus_kit.errors import (
    Busy,
    IllegalTransition,
    NotFound,
    PayloadTooLarge,
    PreconditionFailed,
    PreconditionRequired,
    Unavailable,
    UnsupportedMediaType,
    ValidationFailed,
    responses,
)
from nexus_kit.middleware import allow_body
from nexus_kit.objects import Objects
from nexus_kit.schemas import Text
from nexus_kit.tokens import NotAuthenticated

from nexus_listings import pictures
from nexus_listings.listings.service import AccountErased, ListingArchived
from nexus_listings.photos import service
from nexus_listings.photos.models import Photo
from nexus_listings.photos.schemas import LONGEST_ALT, PhotoChanges, PhotoFailure, PhotoOrder, PhotoOut, Photos

router = APIRouter(prefix="/listings", tags=["photos"])
files = APIRouter(prefix="/photos", tags=["photos"])
internal = APIRouter(prefix="/internal/photos", tags=["internal"])

ListingId = Annotated[UUID, Path(description="Id of a listing.")]
PhotoId = Annotated[UUID, Path(description="Id of a photo.")]

MEDIA_TYPES = ("image/jpeg", "image/png", "image/webp")
_BINARY: dict[str, Any] = {"schema": {"type": "string", "format": "binary"}}
_FOR_EVER = "public, max-age=31536000, immutable"
_CHUNK = 64 * 1024


async def objects(request: Request) -> Objects:
    """The dependency behind `Store`."""
    found: Objects = request.app.state.objects
    return found


async def image_body(request: Request) -> AsyncIterator[bytes]:
    """The dependency behind `ImageBody`: the body as it arrives, of one of our media types and of at most 10 MiB."""
    declared = request.headers.get("content-type", "none")
    if declared.partition(";")[0].strip().lower() not in MEDIA_TYPES:
        raise UnsupportedMediaType(f"Send {', '.join(MEDIA_TYPES)}, not {declared[:100]}.")
    allow_body(request.scope, pictures.MOST_BYTES)
    return request.stream()


Store = Annotated[Objects, Depends(objects)]
ImageBody = Annotated[AsyncIterator[bytes], Depends(image_body)]
Alt = Annotated[Text, Query(max_length=LONGEST_ALT, description="What it shows, for those who do not see it.")]


@router.post(
    "/{listing_id}/photos",
    status_code=201,
    summary="Upload a photo",
    responses=responses(
        *(NotAuthenticated, NotFound, AccountErased, ListingArchived, service.TooManyPhotos, PayloadTooLarge),
        *(UnsupportedMediaType, pictures.PhotoFormatUnsupported, pictures.PhotoBroken, pictures.PhotoAnimated),
        *(pictures.PhotoTooSmall, pictures.PhotoHasTooManyPixels, ValidationFailed, Busy, Unavailable),
    ),
    openapi_extra={"requestBody": {"required": True, "content": dict.fromkeys(MEDIA_TYPES, _BINARY)}},
)
async def upload(
    listing_id: ListingId,
    host: CurrentUser,
    body: ImageBody,
    work: UnitOfWork,
    *,
    store: Store,
    response: Response,
    alt: Alt = "",
) -> PhotoOut:
    """The file itself is the body: at most 10 MiB, 50 megapixels (16 of a WebP), 20 photos a listing.

    It is `processing` until its sizes are made, and last in the order. Only its pixels are kept: no place, no camera,
    no time. Sending the same bytes again is safe with or without an Idempotency-Key: it is the same photo.
    """
    async with work() as session:
        await service.expect(session, listing_id, host.user_id)
    picture = await pictures.receive(body)  # a transaction would hold a connection, and the listing, for all that time
    async with work() as session:
        photo = await service.add(session, store, listing_id, host.user_id, picture, alt)
    response.headers["Location"] = f"/api/v1/listings/{listing_id}/photos/{photo.id}"
    return _with_etag(photo, response)


@router.get("/{listing_id}/photos", summary="My photos of a listing", responses=responses(NotAuthenticated, NotFound))
async def mine(listing_id: ListingId, host: CurrentUser, session: SessionDep, response: Response) -> Photos:
    """For its host: also those that are not ready, and why. Everybody else finds those that are in the listing."""
    response.headers["Cache-Control"] = "private, no-cache"
    photos = await service.all_of_mine(session, listing_id, host.user_id)
    return Photos(items=[PhotoOut.model_validate(photo) for photo in photos])


@router.put(
    "/{listing_id}/photos/order",
    summary="Arrange the photos",
    responses=responses(
        *(NotAuthenticated, NotFound, AccountErased, ListingArchived, service.PhotoOrderIncomplete, ValidationFailed)
    ),
)
async def reorder(listing_id: ListingId, body: PhotoOrder, host: CurrentUser, session: SessionDep) -> Photos:
    """The whole order at once. The first that is ready is the cover of the listing's card."""
    photos = await service.reorder(session, listing_id, host.user_id, body.photo_ids)
    return Photos(items=[PhotoOut.model_validate(photo) for photo in photos])


@router.get(
    "/{listing_id}/photos/{photo_id}",
    summary="Read one of my photos",
    responses=responses(NotAuthenticated, NotFound),
)
async def read(
    listing_id: ListingId,
    photo_id: PhotoId,
    host: CurrentUser,
    session: SessionDep,
    conditions: Conditional,
    response: Response,
) -> PhotoOut:
    """For its host: how far it is, and the ETag that a change needs."""
    photo = await service.find(session, listing_id, photo_id, host.user_id)
    response.headers["Cache-Control"] = "private, no-cache"
    conditions.not_modified(response, photo.shown_version)
    return _with_etag(photo, response)


@router.patch(
    "/{listing_id}/photos/{photo_id}",
    summary="Describe a photo",
    responses=responses(
        *(NotAuthenticated, NotFound, AccountErased, ListingArchived, PreconditionFailed, PreconditionRequired),
        ValidationFailed,
    ),
)
async def describe(
    listing_id: ListingId,
    photo_id: PhotoId,
    body: PhotoChanges,
    *,
    host: CurrentUser,
    session: SessionDep,
    conditions: Conditional,
    response: Response,
) -> PhotoOut:
    """Send the photo's ETag in `If-Match`. That it has become ready meanwhile does no harm."""
    photo = await service.describe(session, listing_id, photo_id, host.user_id, alt=body.alt, conditions=conditions)
    return _with_etag(photo, response)


@router.delete(
    "/{listing_id}/photos/{photo_id}",
    status_code=204,
    summary="Remove a photo",
    responses=responses(NotAuthenticated, NotFound, AccountErased, ListingArchived),
)
async def remove(listing_id: ListingId, photo_id: PhotoId, host: CurrentUser, work: UnitOfWork, store: Store) -> None:
    """For good. Copies that browsers and caches keep are out of our reach."""
    async with work() as session:
        await service.remove(session, listing_id, photo_id, host.user_id)
    await service.remove_files(store, photo_id)  # never before the commit: a photo that is shown has its files


@files.get(
    "/{photo_id}/{size}.webp",
    summary="See a photo",
    response_class=StreamingResponse,
    responses={
        200: {"description": "The picture.", "content": {"image/webp": _BINARY}},
        **responses(NotFound, Unavailable),
    },
)
async def see(
    photo_id: PhotoId, size: Annotated[PhotoSize, Path(description="How large.")], conditions: Conditional, store: Store
) -> StreamingResponse:
    """One size, for everybody who knows its address, which is not to be guessed. Its bytes never change."""
    file = await service.open_file(store, photo_id, size)
    headers = {"Cache-Control": _FOR_EVER, "Content-Length": str(file.meta["size"])}
    response = StreamingResponse(file.stream(_CHUNK), media_type="image/webp", headers=headers)
    conditions.not_modified(response, int(file.meta["last_modified"].timestamp()))
    return response


@internal.get("/{photo_id}", status_code=204, summary="Whether there is such a photo", responses=responses(NotFound))
async def is_there(photo_id: PhotoId, _: ServiceCaller, session: SessionDep) -> None:
    """The worker asks when it does not find the file: of a removed photo there is none."""
    await service.listing_of(session, photo_id)


@internal.post(
    "/{photo_id}/ready", status_code=204, summary="The sizes are made", responses=responses(NotFound, IllegalTransition)
)
async def ready(photo_id: PhotoId, _: ServiceCaller, session: SessionDep) -> None:
    """The worker has stored all of them. Told again, nothing changes."""
    await service.finish(session, photo_id)


@internal.post(
    "/{photo_id}/failed",
    status_code=204,
    summary="The sizes cannot be made",
    responses=responses(NotFound, IllegalTransition),
)
async def failed(photo_id: PhotoId, body: PhotoFailure, _: ServiceCaller, session: SessionDep) -> None:
    """The host is told why. Told again, nothing changes."""
    await service.finish(session, photo_id, failure=body.reason)


def _with_etag(photo: Photo, response: Response) -> PhotoOut:
    """With the ETag that the next PATCH needs."""
    response.headers["ETag"] = etag(photo.shown_version)
    return PhotoOut.model_validate(photo)
