"""Signing in and out, refreshing, and the list of devices."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Query, Request, Response
from nexus_kit.auth import CurrentUser
from nexus_kit.db import SessionDep, UnitOfWork
from nexus_kit.errors import NotFound, ValidationFailed, responses
from nexus_kit.pages import CursorMismatch, CursorsDep, InvalidCursor, PageOf, PageQuery, paginate
from nexus_kit.ratelimit import RateLimited
from nexus_kit.runtime import RuntimeDep
from nexus_kit.tokens import NotAuthenticated, TokenRefused

from nexus_auth import limits
from nexus_auth.keys.routes import Keys
from nexus_auth.sessions import service
from nexus_auth.sessions.models import Device
from nexus_auth.sessions.schemas import Credentials, Refresh, SessionOut, TokenPair
from nexus_auth.sessions.service import InvalidCredentials, InvalidRefreshToken, SessionRevoked

router = APIRouter(prefix="/auth", tags=["sessions"])


async def device_of(request: Request) -> Device:
    """The dependency behind `DeviceDep`. The address is the gateway's word; uvicorn believes nobody else's."""
    return Device(request.client.host if request.client else None, request.headers.get("user-agent", "")[:300] or None)


async def no_store(response: Response) -> None:
    """Tokens must not be kept by anything in between (RFC 6749 §5.1)."""
    response.headers["Cache-Control"] = "no-store"


DeviceDep = Annotated[Device, Depends(device_of)]


@router.post(
    "/login",
    summary="Sign in",
    dependencies=[Depends(no_store), limits.LOGIN_BY_CLIENT],
    responses=responses(InvalidCredentials, ValidationFailed, RateLimited),
)
async def login(body: Credentials, device: DeviceDep, keys: Keys, runtime: RuntimeDep, work: UnitOfWork) -> TokenPair:
    """Begin a session on this device. A wrong address and a wrong password get the same answer after the same time."""
    await limits.LOGIN_BY_ADDRESS.spend(runtime, body.email)
    return await service.login(work, keys, body, device)


@router.post(
    "/refresh",
    summary="Get the next pair of tokens",
    dependencies=[Depends(no_store)],
    responses=responses(InvalidRefreshToken, SessionRevoked, ValidationFailed),
)
async def refresh(body: Refresh, device: DeviceDep, keys: Keys, work: UnitOfWork) -> TokenPair:
    """Each refresh token is replaced by the next. Safe to retry: the one before gets the current one again.

    An older one means that two parties hold this session's tokens: it ends for both, 401 `session_revoked`.
    """
    return await service.refresh(work, keys, body.refresh_token, device)


@router.post("/logout", status_code=204, summary="Sign out", responses=responses(NotAuthenticated, TokenRefused))
async def logout(caller: CurrentUser, session: SessionDep) -> None:
    """End the session of this access token. The token itself is refused everywhere within five seconds."""
    await service.end(session, caller.user_id, only=caller.session_id)


@router.get(
    "/sessions",
    summary="List your devices",
    responses=responses(NotAuthenticated, TokenRefused, InvalidCursor, CursorMismatch, ValidationFailed),
)
async def list_sessions(
    caller: CurrentUser, session: SessionDep, query: Annotated[PageQuery, Query()], cursors: CursorsDep
) -> PageOf[SessionOut]:
    """The sessions that are alive, the newest first."""
    statement = service.devices(caller.user_id, current=caller.session_id)
    rows, next_cursor = await paginate(session, statement, query, cursors, user=caller.user_id)
    return PageOf[SessionOut](items=[SessionOut.model_validate(row) for row in rows], next_cursor=next_cursor)


@router.delete(
    "/sessions",
    status_code=204,
    summary="Sign out everywhere else",
    responses=responses(NotAuthenticated, TokenRefused),
)
async def revoke_others(caller: CurrentUser, session: SessionDep) -> None:
    """End all your sessions but the one that asks."""
    await service.end(session, caller.user_id, but=caller.session_id)


@router.delete(
    "/sessions/{session_id}",
    status_code=204,
    summary="Sign out one device",
    responses=responses(NotAuthenticated, TokenRefused, NotFound, ValidationFailed),
)
async def revoke(session_id: UUID, caller: CurrentUser, session: SessionDep) -> None:
    """End one of your sessions. Its access token is refused everywhere within five seconds, its refresh token now."""
    await service.revoke(session, caller.user_id, session_id)
