"""The wire shape of a favourite."""

from uuid import UUID

from nexus_kit.schemas import Resource, UtcDateTime
from pydantic import Field

from nexus_listings.search.schemas import ListingCard


class FavouriteOut(Resource):
    """One listing that the caller keeps."""

    listing_id: UUID
    kept_at: UtcDateTime = Field(description="When it was kept first.")
    listing: ListingCard | None = Field(
        description="As in a search; null while it is not published. It stays in the list, and may come back."
    )
