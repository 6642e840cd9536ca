"""Who calls a peer: the suite's own access tokens, verified as `nexus_kit.tokens` does it, with the same memory.

A token is verified once and then remembered until it expires; whether its session was revoked is asked of Valkey every
two seconds. `PEER_KEYS`: the key set of auth; `PEER_ISSUER`: the suite's address.
"""

import json
import os
import time
from dataclasses import dataclass

from django.conf import settings
from jose import JOSEError, jwk, jwt
from redis import Redis
from rest_framework import authentication, exceptions, permissions

KEYS = {each["kid"]: jwk.construct(each, "ES256") for each in json.loads(os.environ["PEER_KEYS"])["keys"]}
REQUIRED = {f"require_{claim}": True for claim in ("exp", "iat", "iss", "aud", "sub", "jti")}
MEMO_SECONDS, MEMO_SIZE = 2.0, 10_000

revocations = Redis.from_url(settings.EVENTS)
_memo = {}


@dataclass
class Caller:
    user_id: str
    session_id: str
    email_verified: bool
    expires: int
    seen_alive: float


class AccessToken(authentication.BaseAuthentication):
    def authenticate(self, request):
        scheme, _, token = request.headers.get("Authorization", "").partition(" ")
        if scheme.lower() != "bearer":
            return None
        caller = _memo.get(token) or self._verified(token)
        if caller.expires <= time.time():
            _memo.pop(token, None)
            raise exceptions.AuthenticationFailed("The access token has expired.")
        now = time.monotonic()
        if now - caller.seen_alive > MEMO_SECONDS:
            if revocations.exists(f"nexus:revoked:{{{caller.session_id}}}"):
                raise exceptions.AuthenticationFailed("This session has ended.")
            caller.seen_alive = now
            if len(_memo) >= MEMO_SIZE:
                _memo.pop(next(iter(_memo)), None)
            _memo[token] = caller
        return caller, token

    def authenticate_header(self, request):
        return "Bearer"

    def _verified(self, token):
        try:
            header = jwt.get_unverified_header(token)
            if header.get("typ") != "at+jwt" or "crit" in header:
                raise exceptions.AuthenticationFailed
            claims = jwt.decode(
                *(token, KEYS[header["kid"]]),
                algorithms=["ES256"],
                audience="nexus",
                issuer=os.environ["PEER_ISSUER"],
                options=REQUIRED,
            )
        except (JOSEError, KeyError) as exc:
            raise exceptions.AuthenticationFailed from exc
        return Caller(claims["sub"], claims["sid"], claims["email_verified"], claims["exp"], float("-inf"))


class SignedIn(permissions.BasePermission):
    def has_permission(self, request, view):
        return request.user is not None


class Verified(SignedIn):
    message = "Verify your e-mail address first."

    def has_permission(self, request, view):
        return super().has_permission(request, view) and request.user.email_verified
