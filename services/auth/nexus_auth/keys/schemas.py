"""The key set as it is published (RFC 7517); every verifier of access tokens reads it."""

from typing import Literal

from nexus_kit.schemas import Resource
from pydantic import Field


class Jwk(Resource):
    """One public key."""

    kty: Literal["EC"] = "EC"
    crv: Literal["P-256"] = "P-256"
    alg: Literal["ES256"] = "ES256"
    use: Literal["sig"] = "sig"
    kid: str = Field(
        description="The key's SHA-256 thumbprint (RFC 7638).", examples=["NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs"]
    )
    x: str = Field(description="base64url, 32 bytes.", examples=["f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU"])
    y: str = Field(description="base64url, 32 bytes.", examples=["x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0"])


class JwkSet(Resource):
    """The key that signs now, then those that will or did."""

    keys: list[Jwk]
