"""The wire shapes of signing in and of the list of devices."""

from typing import Annotated, Literal
from uuid import UUID

from nexus_contracts.access_token import ACCESS_TOKEN_SECONDS
from nexus_kit.schemas import Body, Resource, UtcDateTime
from pydantic import Field, StringConstraints

from nexus_auth.accounts.schemas import EmailAddress
from nexus_auth.passwords import TypedPassword

_REFRESH_TOKEN = "AZOmJ1TvfQq4l2h0m3r5xwAAAAAAAAAAq8jv0Yw1m1b7wqk2cT0r3uXn5pZs9LfE"  # noqa: S105 - an example


class Credentials(Body):
    """Who signs in."""

    email: EmailAddress
    password: Annotated[TypedPassword, Field(examples=["a walk by Lake Tana"])]


class Refresh(Body):
    """The refresh token that the last answer held."""

    refresh_token: Annotated[str, StringConstraints(max_length=4096), Field(examples=[_REFRESH_TOKEN])]


class TokenPair(Resource):
    """What a signed-in client holds."""

    access_token: str = Field(
        description="For `Authorization: Bearer …`. A JWT (RFC 9068); treat it as opaque.",
        examples=["eyJhbGciOiJFUzI1NiIs…"],
    )
    token_type: Literal["Bearer"] = "Bearer"  # noqa: S105 - a scheme
    expires_in: int = Field(default=ACCESS_TOKEN_SECONDS, description="Seconds until the access token expires.")
    refresh_token: str = Field(
        description="Gets the next pair, and replaces the one that was sent. Keep it secret; keep only the newest.",
        examples=[_REFRESH_TOKEN],
    )


class SessionOut(Resource):
    """One signed-in device."""

    id: UUID
    created_at: UtcDateTime = Field(description="When somebody signed in.")
    last_used_at: UtcDateTime = Field(description="When its tokens were last refreshed.")
    ip: str | None = Field(description="Place: the address it was last used from.", examples=["196.188.0.10"])
    user_agent: str | None = Field(
        description="Agent: what it was last used with.", examples=["NexusApp/2.1 (Android 16)"]
    )
    current: bool = Field(description="The session of the access token that asks.")
