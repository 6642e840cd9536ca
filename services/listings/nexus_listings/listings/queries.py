"""Reads of listings that are more than a row by its id: a host's own list. The public search is `search/queries.py`."""

from uuid import UUID

from nexus_contracts.listings import ListingStatus
from sqlalchemy import Select, select

from nexus_listings.listings.models import Listing


def owned_by(host_id: UUID, status: ListingStatus | None) -> Select[Listing]:
    """A host's listings, newest first (ids are made in the order of time)."""
    mine = select(Listing).where(Listing.host_id == host_id).order_by(Listing.id.desc())
    return mine if status is None else mine.where(Listing.status == status)
