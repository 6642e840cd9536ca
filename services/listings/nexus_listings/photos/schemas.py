"""The wire shapes of photos: as everybody sees them in a listing, and as their host does."""

from typing import Annotated
from uuid import UUID

from nexus_contracts.photos import PhotoSize
from nexus_kit.schemas import Body, Resource, UtcDateTime
from pydantic import Field, computed_field

from nexus_listings.photos.models import MOST, PhotoStatus

LONGEST_ALT = 300

AltText = Annotated[
    str,
    Field(
        max_length=LONGEST_ALT,
        description="What the photo shows, for those who do not see it.",
        examples=["The terrace, with the lake behind it"],
    ),
]


class PhotoFile(Resource):
    """One size of a photo, as WebP. Its bytes never change: keep them as long as you like."""

    url: str = Field(
        description="Path from the gateway's root.",
        examples=["/api/v1/photos/5f0c1a52-6f0e-4a43-9a53-0d4f9b1d2c11/medium.webp"],
    )
    width: int = Field(description="Pixels.", examples=[960])
    height: int = Field(description="Pixels.", examples=[640])


class ShownPhotoOut(Resource):
    """A photo as everybody sees it."""

    id: UUID
    alt: AltText
    width: int = Field(description="Of the original, in pixels.", examples=[2560])
    height: int = Field(description="Of the original, in pixels.", examples=[1707])

    @computed_field  # type: ignore[prop-decorator]  # mypy knows no decorated property
    @property
    def sizes(self) -> dict[PhotoSize, PhotoFile]:
        """The longer side has at most 320, 960 and 1920 pixels, and never more than the original."""
        return {size: self._file(size) for size in PhotoSize}

    def _file(self, size: PhotoSize) -> PhotoFile:
        width, height = size.fit(self.width, self.height)
        return PhotoFile(url=f"/api/v1/photos/{self.id}/{size.file}", width=width, height=height)


class PhotoOut(ShownPhotoOut):
    """A photo as its host sees it. Its sizes can be fetched once it is ready."""

    status: PhotoStatus
    reason: str | None = Field(description="Why it failed; null unless it did.")
    created_at: UtcDateTime


class Photos(Resource):
    """All photos of a listing, in their order."""

    items: list[PhotoOut] = Field(max_length=MOST)


class PhotoChanges(Body):
    """What a host changes of a photo."""

    alt: AltText


class PhotoOrder(Body):
    """The order in which to show the photos."""

    photo_ids: list[UUID] = Field(
        max_length=MOST, description="Every photo of the listing, each once. The first becomes the cover."
    )


class PhotoFailure(Body):
    """Why a photo's sizes could not be made."""

    reason: Annotated[str, Field(min_length=1, max_length=300)]
