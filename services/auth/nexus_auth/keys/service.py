"""The key ring: the one private key of the suite, and the public keys that others verify with.

`main.build` makes it from the settings, `sessions` has it sign access tokens, `keys/routes.py` publishes it.
"""

import base64
import hashlib
import json
import re
import time
from collections.abc import Iterable
from uuid import UUID, uuid4

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import load_pem_private_key, load_pem_public_key
from jose import jwk, jwt
from nexus_contracts.access_token import (
    ACCESS_TOKEN_ALGORITHM,
    ACCESS_TOKEN_SECONDS,
    ACCESS_TOKEN_TYPE,
    AUDIENCE,
    AccessTokenClaims,
    Role,
)

from nexus_auth.keys.schemas import Jwk, JwkSet
from nexus_auth.settings import Settings

_PEM = re.compile(r"-----BEGIN ([A-Z ]+)-----.+?-----END \1-----", re.DOTALL)


class KeyRing:
    """Refuses to be made from anything but P-256 keys, so a wrong setting stops the service at its start."""

    def __init__(self, settings: Settings) -> None:
        private = load_pem_private_key(settings.signing_key.get_secret_value().encode(), password=None)
        if not isinstance(private, ec.EllipticCurvePrivateKey):
            raise TypeError("NEXUS_SIGNING_KEY must be an elliptic-curve private key")
        signing = public_jwk(private.public_key())
        published = [public_jwk(key) for key in _public_keys(settings.published_keys)]
        self.jwks = JwkSet(keys=list({key.kid: key for key in [signing, *published]}.values()))
        self._headers = {"typ": ACCESS_TOKEN_TYPE, "kid": signing.kid}
        # python-jose parses a PEM on every call; a key prepared once makes signing ten times cheaper.
        self._key = jwk.construct(private, ACCESS_TOKEN_ALGORITHM)  # type: ignore[arg-type]  # its stubs lag behind
        self._issuer = settings.issuer

    def access_token(self, user_id: UUID, session_id: UUID, *, roles: Iterable[Role], email_verified: bool) -> str:
        """A signed access token (RFC 9068) for one session of one user, good for ten minutes from now."""
        now = int(time.time())
        claims = AccessTokenClaims(
            iss=self._issuer,
            aud=AUDIENCE,
            sub=user_id,
            sid=session_id,
            exp=now + ACCESS_TOKEN_SECONDS,
            iat=now,
            jti=uuid4(),
            roles=frozenset(roles),
            email_verified=email_verified,
        )
        return jwt.encode(claims.model_dump(mode="json"), self._key, ACCESS_TOKEN_ALGORITHM, headers=self._headers)


def public_jwk(key: ec.EllipticCurvePublicKey) -> Jwk:
    """The key as published, named by its thumbprint."""
    if not isinstance(key.curve, ec.SECP256R1):
        raise TypeError(f"access tokens are signed with P-256, not {key.curve.name}")
    point = key.public_numbers()
    # RFC 7638: exactly the required members, in this order, without white space.
    required = {"crv": "P-256", "kty": "EC", "x": _coordinate(point.x), "y": _coordinate(point.y)}
    thumbprint = hashlib.sha256(json.dumps(required, separators=(",", ":")).encode()).digest()
    return Jwk(kid=_base64url(thumbprint), x=required["x"], y=required["y"])


def _public_keys(pems: str) -> Iterable[ec.EllipticCurvePublicKey]:
    if _PEM.sub("", pems).strip():
        raise ValueError("NEXUS_PUBLISHED_KEYS holds something that is not PEM")
    for pem in _PEM.finditer(pems):
        key = load_pem_public_key(pem.group().encode())
        if not isinstance(key, ec.EllipticCurvePublicKey):
            raise TypeError("NEXUS_PUBLISHED_KEYS must be elliptic-curve public keys")
        yield key


def _coordinate(number: int) -> str:
    return _base64url(number.to_bytes(32, "big"))


def _base64url(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()
