"""The published key set: every service fetches it, anybody may. Also `Keys`, by which a route has tokens signed."""

from typing import Annotated

from fastapi import APIRouter, Depends, Request, Response

from nexus_auth.keys.schemas import JwkSet
from nexus_auth.keys.service import KeyRing

router = APIRouter(tags=["keys"])


async def key_ring(request: Request) -> KeyRing:
    """The dependency behind `Keys`: `main.build` made it."""
    ring: KeyRing = request.app.state.keys
    return ring


Keys = Annotated[KeyRing, Depends(key_ring)]


@router.get("/.well-known/jwks.json", summary="Read the public keys")
async def read_jwks(keys: Keys, response: Response) -> JwkSet:
    """The keys that verify access tokens, by `kid` (RFC 7517). A new key appears here before it signs anything."""
    response.headers["Cache-Control"] = "public, max-age=300"
    return keys.jwks
