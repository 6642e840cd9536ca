"""An account is closed: what this service keeps of its owner goes. `main.py` lists it among the events it consumes."""

from typing import Any

from nexus_contracts.auth import UserDeleted
from nexus_contracts.envelope import CloudEvent
from sqlalchemy.ext.asyncio import AsyncSession

from nexus_bookings.payouts import service as payouts
from nexus_bookings.waiting_list import service as waiting_list


async def erase(session: AsyncSession, event: CloudEvent[Any]) -> None:
    """All of it in one transaction: their bank account is forgotten, they wait for nothing any more."""
    deleted: UserDeleted = event.data
    await payouts.forget_account(session, deleted.user_id)
    await waiting_list.leave_all_of(session, deleted.user_id)
