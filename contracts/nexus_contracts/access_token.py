"""What an access token (RFC 9068) and a service token say. auth mints the first; `kit/tokens.py` verifies both."""

from enum import StrEnum
from uuid import UUID

from pydantic import BaseModel, ConfigDict

AUDIENCE = "nexus"
ACCESS_TOKEN_TYPE = "at+jwt"  # noqa: S105 - a media type
ACCESS_TOKEN_ALGORITHM = "ES256"  # noqa: S105
ACCESS_TOKEN_SECONDS = 600
SERVICE_TOKEN_TYPE = "svc+jwt"  # noqa: S105
SERVICE_TOKEN_ALGORITHM = "HS256"  # noqa: S105
SERVICE_TOKEN_SECONDS = 60


class Role(StrEnum):
    """What a user may do beyond owning things. A host is a user who owns a listing, not a role."""

    USER = "user"
    ADMIN = "admin"


class AccessTokenClaims(BaseModel):
    """All claims are required; times are seconds since the epoch."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    iss: str
    aud: str
    sub: UUID
    sid: UUID
    exp: int
    iat: int
    jti: UUID
    roles: frozenset[Role]
    email_verified: bool


class ServiceTokenClaims(BaseModel):
    """By which one service addresses the internal routes of another. All claims are required."""

    model_config = ConfigDict(frozen=True, extra="ignore", strict=True)

    iss: str
    aud: str
    exp: int
    iat: int


def revoked_session_key(session_id: UUID) -> str:
    """The Redis key (events database) whose presence means that this session's tokens are refused."""
    return f"nexus:revoked:{{{session_id}}}"
