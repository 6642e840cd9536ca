"""What users keep: listings they want to find again. `routes.py` calls it, and `erasure.py` when they have gone."""

from collections.abc import Iterable
from uuid import UUID

from nexus_kit.db import lock
from nexus_kit.errors import Conflict
from sqlalchemy import Select, delete, func, insert, select
from sqlalchemy.ext.asyncio import AsyncSession

from nexus_listings.favourites.models import Favourite
from nexus_listings.favourites.schemas import FavouriteOut
from nexus_listings.listings import service as listings
from nexus_listings.listings.models import Listing
from nexus_listings.search import queries as search
from nexus_listings.search.schemas import ListingCard

MOST = 500
"""Favourites of one user."""


class TooManyFavourites(Conflict):
    """A user keeps at most 500 favourites; remove one first."""


async def keep(session: AsyncSession, user_id: UUID, listing_id: UUID) -> None:
    """Keep a listing that the user can see. Keeping it again changes nothing."""
    await listings.refuse_erased(session, user_id)
    await listings.find_visible(session, listing_id, user_id)
    await lock(session, f"favourites of {user_id}")  # or two at once would both be the last that fits
    this_one = func.count().filter(Favourite.listing_id == listing_id)
    counts = select(func.count(), this_one).where(Favourite.user_id == user_id)
    kept, is_kept = (await session.execute(counts)).one()
    if is_kept:
        return
    if kept >= MOST:
        raise TooManyFavourites
    await session.execute(insert(Favourite).values(user_id=user_id, listing_id=listing_id))


async def drop(session: AsyncSession, user_id: UUID, listing_id: UUID) -> None:
    """Keep it no longer. What was not kept is not missed."""
    await session.execute(delete(Favourite).where(Favourite.user_id == user_id, Favourite.listing_id == listing_id))


def kept_by(user_id: UUID) -> Select[Favourite]:
    """A user's favourites, the newest first."""
    mine = select(Favourite).where(Favourite.user_id == user_id)
    return mine.order_by(Favourite.kept_at.desc(), Favourite.listing_id.desc())


async def with_cards(session: AsyncSession, favourites: Iterable[Favourite]) -> list[FavouriteOut]:
    """Each with its listing as a search shows it, unless it is not published now."""
    wanted = {favourite.listing_id: favourite for favourite in favourites}
    published = await session.execute(search.cards().where(Listing.id.in_(wanted)))
    cards = {row.id: ListingCard.model_validate(row) for row in published}
    return [
        FavouriteOut(listing_id=listing_id, kept_at=favourite.kept_at, listing=cards.get(listing_id))
        for listing_id, favourite in wanted.items()
    ]


async def forget_all_of(session: AsyncSession, user_id: UUID) -> None:
    """The user has gone, and with them what they kept."""
    await session.execute(delete(Favourite).where(Favourite.user_id == user_id))
