"""An account is closed: what this service keeps of its owner goes. `main.py` lists it among the events it consumes."""

from typing import Any

from nexus_contracts.auth import UserDeleted
from nexus_contracts.envelope import CloudEvent
from sqlalchemy.ext.asyncio import AsyncSession

from nexus_listings.favourites import service as favourites
from nexus_listings.listings import service as listings
from nexus_listings.saved_searches import service as saved_searches


async def erase(session: AsyncSession, event: CloudEvent[Any]) -> None:
    """What they kept and looked for is forgotten, their listings are archived; a large host's by a timer after that."""
    deleted: UserDeleted = event.data
    await listings.erase_host(session, deleted.user_id)
    await favourites.forget_all_of(session, deleted.user_id)
    await saved_searches.forget_all_of(session, deleted.user_id)
