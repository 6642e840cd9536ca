"""POST /quotes."""

from fastapi import APIRouter
from nexus_kit.auth import CurrentUser
from nexus_kit.db import SessionDep
from nexus_kit.errors import NotFound, UpstreamUnavailable, responses

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
async def quote(wish: NewQuote, guest: CurrentUser, session: SessionDep, neighbours: NeighboursDep) -> QuoteOut:
    """Price a stay, night by night. The price is yours until `valid_until`; the nights are not: book to hold them."""
    promised = await service.quote(
        session,
        wish,
        guest.user_id,
        source=neighbours.listings,
        service_fee_percent=neighbours.settings.service_fee_percent,
    )
    return QuoteOut.model_validate(promised)
