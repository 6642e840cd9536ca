"""GET /bookings/{id}/timeline."""

from uuid import UUID

from fastapi import APIRouter
from nexus_kit.auth import CurrentUser
from nexus_kit.db import SessionDep
from nexus_kit.errors import NotFound, responses

from nexus_bookings.bookings import service as bookings
from nexus_bookings.timeline import service
from nexus_bookings.timeline.schemas import MoveOut, TimelineOut

router = APIRouter(prefix="/bookings/{booking_id}/timeline", tags=["bookings"])


@router.get("", summary="See what happened to a booking", responses=responses(NotFound))
async def read(booking_id: UUID, user: CurrentUser, session: SessionDep) -> TimelineOut:
    """Every move with who made it and when, oldest first, for both parties."""
    booking = await bookings.get(session, booking_id, user.user_id)
    moves = await service.of_booking(session, booking.id)
    return TimelineOut(items=[MoveOut.model_validate(move) for move in moves])
