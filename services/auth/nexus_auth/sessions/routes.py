"""Signing in and out, refreshing, and the list of devices."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Request, Response
from nexus_kit.auth import CurrentUser
from nexus_kit.db import SessionDep, UnitOfWork
from nexus_kit.errors import NotFound, ValidationFailed, responses
from nexus_kit.tokens import NotAuthenticated, TokenRefused

from nexus_auth.keys.routes import Keys
from nexus_auth.sessions import service
from nexus_auth.sessions.models import Device
from nexus_auth.sessions.schemas import Credentials, Refresh, SessionOut, TokenPair
from nexus_auth.sessions.service import InvalidCredentials, InvalidRefreshToken, SessionRevoked

router = APIRouter(prefix="/auth", tags=["sessions"])


def device_of(request: Request) -> Device:
    """The dependency behind `DeviceDep`. The address is the gateway's word; uvicorn believes nobody else's."""
    return Device(request.client.host if request.client else None, request.headers.get("user-agent", "")[:300] or None)


DeviceDep = Annotated[Device, Depends(device_of)]
