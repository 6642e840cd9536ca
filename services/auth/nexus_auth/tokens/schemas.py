"""What the worker asks for when it sends a mail with a link in it, and gets."""

from nexus_kit.schemas import Body, Resource, UtcDateTime
from pydantic import Field

from nexus_auth.tokens.models import Purpose


class MintToken(Body):
    """Which kind of link the mail will hold."""

    purpose: Purpose = Field(examples=[Purpose.VERIFY_EMAIL])


class MintedToken(Resource):
    """The only time the token itself is seen outside the mail."""

    token: str = Field(
        description="43 characters of base64url.", examples=["gq3pAa8gG8b2Qf0mE0K5m0bqSZr8o3b7qE0mY6T1n2c"]
    )
    expires_at: UtcDateTime
