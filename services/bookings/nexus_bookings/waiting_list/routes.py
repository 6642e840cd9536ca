"""Waiting for nights that are sold out."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query
from nexus_kit.auth import CurrentUser, EmailNotVerified, VerifiedUser
from nexus_kit.db import SessionDep, UnitOfWork
from nexus_kit.errors import NotFound, UpstreamUnavailable, responses
from nexus_kit.pages import CursorMismatch, CursorsDep, InvalidCursor, PageOf, PageQuery, paginate

from nexus_bookings.listings.service import with_copy
from nexus_bookings.neighbours import NeighboursDep
from nexus_bookings.quotes.service import STAY_REFUSALS
from nexus_bookings.waiting_list import service
from nexus_bookings.waiting_list.schemas import EntryOut, NewEntry
from nexus_bookings.waiting_list.service import AlreadyWaiting, NotSoldOut, WaitingListFull

router = APIRouter(prefix="/waiting-list", tags=["waiting list"])


@router.post(
    "",
    status_code=201,
    summary="Wait for a stay",
    responses=responses(
        EmailNotVerified, NotFound, NotSoldOut, AlreadyWaiting, WaitingListFull, *STAY_REFUSALS, UpstreamUnavailable
    ),
)
async def join(wish: NewEntry, guest: VerifiedUser, work: UnitOfWork, neighbours: NeighboursDep) -> EntryOut:
    """Get in line for sold-out nights. When all of them are free, they are held for you, and a mail says until when."""
    entry, place = await with_copy(
        work,
        wish.listing_id,
        neighbours.listings,
        lambda session: service.join(session, wish, guest.user_id),
    )
    return EntryOut.of(entry, place)


@router.get("", summary="List what you wait for", responses=responses(InvalidCursor, CursorMismatch))
async def list_entries(
    user: CurrentUser, query: Annotated[PageQuery, Query()], session: SessionDep, cursors: CursorsDep
) -> PageOf[EntryOut]:
    """With your place in each line, newest first; also what was offered, and what has ended."""
    rows, next_cursor = await paginate(session, service.of_guest(user.user_id), query, cursors, owner=user.user_id)
    return PageOf(items=[EntryOut.of(*row) for row in rows], next_cursor=next_cursor)


@router.delete("/{entry_id}", status_code=204, summary="Stop waiting", responses=responses(NotFound))
async def leave(entry_id: UUID, user: CurrentUser, session: SessionDep) -> None:
    """A booking that was offered stays: cancel it, or let it expire."""
    await service.leave(session, entry_id, user.user_id)
