"""POST /quotes."""

from fastapi import APIRouter
from nexus_kit.auth import CurrentUser
from nexus_kit.db import UnitOfWork
from nexus_kit.errors import NotFound, UpstreamUnavailable, responses

from nexus_bookings.listings.service import with_copy
from nexus_bookings.neighbours import NeighboursDep
from nexus_bookings.quotes import service
from nexus_bookings.quotes.schemas import NewQuote, QuoteOut

router = APIRouter(prefix="/quotes", tags=["quotes"])


@router.post(
    "",
    status_code=201,
    summary="Ask for a price",
    responses=responses(NotFound, *service.REFUSALS, UpstreamUnavailable),
)
async def quote(wish: NewQuote, guest: CurrentUser, work: UnitOfWork, neighbours: NeighboursDep) -> QuoteOut:
    """Price a stay, night by night. The price is yours until `valid_until`; the nights are not: book to hold them."""
    promised = await with_copy(
        work,
        wish.listing_id,
        neighbours.listings,
        lambda session: service.quote(session, wish, guest.user_id, neighbours.settings.percentages),
    )
    return QuoteOut.of(promised)
