"""The one verifier of tokens: users' access tokens (ES256, keys from auth's JWKS) and services' own (HS256).

`auth.py` turns it into dependencies. python-jose decides nothing here that this module has not pinned: the algorithm,
the type, the key, and the presence of every claim (RFC 8725 lists what goes wrong otherwise).
"""

import asyncio
import hashlib
import time
from collections import OrderedDict
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import httpx
import structlog
from jose import jwk, jwt
from jose.backends.base import Key
from nexus_contracts import access_token
from nexus_contracts.access_token import AccessTokenClaims, Role, ServiceTokenClaims
from redis.asyncio import Redis
from redis.exceptions import RedisError

from nexus_kit.errors import Unauthorized, UpstreamUnavailable

log = structlog.get_logger(__name__)

REVOCATION_BOUND_SECONDS = 5
"""A revoked session's tokens are refused everywhere after at most this long: the event's way to Redis plus the memo."""

_MEMO_SECONDS = 2.0
_MEMO_SIZE = 10_000
_PATIENCE_SECONDS = 0.25
"""How long a request waits for Redis to say whether its session lives ..."""
_PAUSE_SECONDS = 1.0
"""... and how long nobody asks after it did not say."""
_MAX_TOKEN_BYTES = 4096
_REFETCH_SECONDS = 30.0
_KEYS_FRESH_SECONDS = 300.0
_CHALLENGE = {"WWW-Authenticate": 'Bearer error="invalid_token"'}


class NotAuthenticated(Unauthorized):
    """This call needs an access token."""


class TokenRefused(Unauthorized):
    """The access token is malformed, expired, revoked, or not from here."""


@dataclass(frozen=True, slots=True)
class Principal:
    """Who calls, as their access token says."""

    user_id: UUID
    session_id: UUID
    roles: frozenset[Role]
    email_verified: bool


class KeySet:
    """auth's public keys by `kid`, kept while auth is away, asked again for a `kid` that nobody knows."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._keys: dict[str, Key] = {}
        self._fetched = self._tried = float("-inf")
        self._fetching = asyncio.Lock()

    async def find(self, kid: str) -> Key:
        """The key called `kid`. Raises `TokenRefused` if auth does not publish it, 503 if auth was never reached."""
        if not self._knows(kid):
            async with self._fetching:  # the others wait for the first one's answer
                if not self._knows(kid) and self._may_try():
                    await self._fetch()
        known = self._keys.get(kid)
        if known is None:
            if not self._keys:
                raise UpstreamUnavailable("The keys that verify access tokens are not available yet.")
            raise TokenRefused(headers=_CHALLENGE)
        return known

    def _knows(self, kid: str) -> bool:
        return kid in self._keys and time.monotonic() - self._fetched < _KEYS_FRESH_SECONDS

    def _may_try(self) -> bool:
        # Unknown kids are free to make up: they must not become a way to hammer auth.
        return time.monotonic() - self._tried > (_REFETCH_SECONDS if self._keys else 1.0)

    async def _fetch(self) -> None:
        self._tried = time.monotonic()
        try:
            async with httpx.AsyncClient(timeout=2.0) as client:
                answer = await client.get(self._url)
                answer.raise_for_status()
            documents = [key for key in answer.json()["keys"] if key.get("alg") == access_token.ACCESS_TOKEN_ALGORITHM]
            self._keys = {key["kid"]: jwk.construct(key, access_token.ACCESS_TOKEN_ALGORITHM) for key in documents}
            self._fetched = self._tried
        except Exception as exc:  # noqa: BLE001 - whatever is wrong with auth's answer, the keys we have still verify
            log.warning("key set not fetched", url=self._url, error=repr(exc))


class Verifier:
    """Turns an access token into a `Principal`, or refuses it. Whatever python-jose raises is a refusal."""

    def __init__(self, *, issuer: str, jwks_url: str, redis: Redis) -> None:
        self._issuer = issuer
        self._keys = KeySet(jwks_url)
        self._redis = redis
        self._ask_again = float("-inf")
        # token hash → (claims, when its session was last seen alive); bounded, oldest out first
        self._memo: OrderedDict[bytes, tuple[AccessTokenClaims, Principal, float]] = OrderedDict()

    async def verify(self, token: str) -> Principal:
        """Check everything once, then remember it until it expires; whether the session lives is asked every 2 s."""
        digest = hashlib.sha256(token.encode()).digest()
        remembered = self._memo.get(digest)
        if remembered is None:
            claims = await self._decode(token)
            principal = Principal(claims.sub, claims.sid, claims.roles, claims.email_verified)
            seen_alive = float("-inf")
        else:
            claims, principal, seen_alive = remembered
            if claims.exp <= time.time():
                del self._memo[digest]
                raise TokenRefused("The access token has expired.", headers=_CHALLENGE)
        now = time.monotonic()
        if now - seen_alive > _MEMO_SECONDS:
            await self._refuse_revoked(claims.sid)
            self._memo[digest] = (claims, principal, now)
            self._memo.move_to_end(digest)
            if len(self._memo) > _MEMO_SIZE:
                self._memo.popitem(last=False)
        return principal

    async def _decode(self, token: str) -> AccessTokenClaims:
        header = unverified_header(token)
        kid = header.get("kid")
        if (
            header.get("alg") != access_token.ACCESS_TOKEN_ALGORITHM
            or header.get("typ") != access_token.ACCESS_TOKEN_TYPE
            or "crit" in header
            or not isinstance(kid, str)
        ):
            raise TokenRefused(headers=_CHALLENGE)
        key = await self._keys.find(kid)
        try:
            claims = jwt.decode(
                token,
                key,
                algorithms=[access_token.ACCESS_TOKEN_ALGORITHM],
                audience=access_token.AUDIENCE,
                issuer=self._issuer,
                options={f"require_{claim}": True for claim in ("exp", "iat", "iss", "aud", "sub", "jti")},
            )
            return AccessTokenClaims.model_validate(claims)
        except Exception as exc:
            raise TokenRefused(headers=_CHALLENGE) from exc

    async def _refuse_revoked(self, session_id: UUID) -> None:
        if time.monotonic() < self._ask_again:
            return
        try:
            async with asyncio.timeout(_PATIENCE_SECONDS):
                revoked = await self._redis.exists(access_token.revoked_session_key(session_id))
        except (RedisError, TimeoutError) as exc:
            # Open, not shut: a token lives ten minutes at most, and Redis away must not sign everybody out.
            log.warning("revocation not checked", error=repr(exc))
            self._ask_again = time.monotonic() + _PAUSE_SECONDS
            return
        if revoked:
            raise TokenRefused("This session has ended.", headers=_CHALLENGE)


def mint_service_token(secret: str, *, caller: str, audience: str) -> str:
    """A token by which the service `caller` addresses the internal routes of `audience` for a minute."""
    now = int(time.time())
    claims = {"iss": caller, "aud": audience, "iat": now, "exp": now + access_token.SERVICE_TOKEN_SECONDS}
    return jwt.encode(
        claims, secret, access_token.SERVICE_TOKEN_ALGORITHM, headers={"typ": access_token.SERVICE_TOKEN_TYPE}
    )


def verify_service_token(token: str, secret: str, *, audience: str) -> str:
    """The name of the service that calls, or `TokenRefused`."""
    header = unverified_header(token)
    if (
        header.get("alg") != access_token.SERVICE_TOKEN_ALGORITHM
        or header.get("typ") != access_token.SERVICE_TOKEN_TYPE
        or "crit" in header
    ):
        raise TokenRefused(headers=_CHALLENGE)
    try:
        decoded = jwt.decode(token, secret, algorithms=[access_token.SERVICE_TOKEN_ALGORITHM], audience=audience)
        claims = ServiceTokenClaims.model_validate(decoded)
    except Exception as exc:
        raise TokenRefused(headers=_CHALLENGE) from exc
    if not 0 <= claims.exp - claims.iat <= access_token.SERVICE_TOKEN_SECONDS:
        raise TokenRefused(headers=_CHALLENGE)
    return claims.iss


def unverified_header(token: str) -> dict[str, Any]:
    """The header as sent: nothing in it is true yet. Refuses what is too long or not a token at all."""
    if len(token) > _MAX_TOKEN_BYTES:
        raise TokenRefused(headers=_CHALLENGE)
    try:
        return dict(jwt.get_unverified_header(token))
    except Exception as exc:
        raise TokenRefused(headers=_CHALLENGE) from exc
