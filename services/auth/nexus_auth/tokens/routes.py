"""The internal route by which the worker gets the token for a mail at the moment it sends it."""

from uuid import UUID

from fastapi import APIRouter
from nexus_kit.auth import ServiceCaller
from nexus_kit.db import SessionDep
from nexus_kit.errors import NotFound, responses
from nexus_kit.tokens import TokenRefused

from nexus_auth.tokens import service
from nexus_auth.tokens.schemas import MintedToken, MintToken

router = APIRouter(tags=["internal"])


@router.post(
    "/internal/users/{user_id}/tokens",
    status_code=201,
    summary="Mint a one-time token for a mail",
    responses=responses(TokenRefused, NotFound, service.AccountClosed),
)
async def mint_token(user_id: UUID, body: MintToken, caller: ServiceCaller, session: SessionDep) -> MintedToken:
    """Events carry no secrets, so the token of a mailed link is made when the mail is. Only its hash is stored."""
    return await service.mint(session, user_id, body.purpose)
