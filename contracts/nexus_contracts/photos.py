"""Photos of listings: the fact that one came in, the sizes it is shown in, and where its bytes lie.

listings writes the original and serves the sizes, the worker makes them: both find them by `key_of`.
"""

from enum import StrEnum
from uuid import UUID

from pydantic import Field

from nexus_contracts.envelope import Event

ORIGINAL = "original.jpg"
"""The picture as it is kept: upright, in sRGB, without metadata. Never served."""


class PhotoSize(StrEnum):
    """The sizes in which a photo is shown."""

    SMALL = "small"
    MEDIUM = "medium"
    LARGE = "large"

    @property
    def longest(self) -> int:
        """What the longer side may have, in pixels."""
        return {PhotoSize.SMALL: 320, PhotoSize.MEDIUM: 960, PhotoSize.LARGE: 1920}[self]

    @property
    def file(self) -> str:
        """The name of its file."""
        return f"{self}.webp"

    def fit(self, width: int, height: int) -> tuple[int, int]:
        """Width and height of a picture of so many pixels in this size: in proportion, and never larger than it is."""
        longest = max(width, height)
        if longest <= self.longest:
            return width, height
        return max(1, round(width * self.longest / longest)), max(1, round(height * self.longest / longest))


def key_of(photo_id: UUID, file: str) -> str:
    """Where a file of a photo lies in the object store."""
    return f"{photo_id}/{file}"


class PhotoUploaded(Event, type="nexus.listings.photo.uploaded.v1", subject="photo_id"):
    """The host's picture is kept; its sizes are yet to be made."""

    photo_id: UUID
    listing_id: UUID
    width: int = Field(description="Of the picture as it is kept, in pixels.")
    height: int
