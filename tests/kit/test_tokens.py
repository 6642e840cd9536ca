"""Only a token that auth signed for us, unexpired and unrevoked, names a user; only a service's own names a service."""

import asyncio
import base64
import hashlib
import hmac
import json
import time
from typing import Any
from uuid import uuid4

import httpx
import pytest
from jose import jwt
from nexus_contracts.access_token import revoked_session_key
from nexus_kit.errors import UpstreamUnavailable
from nexus_kit.testing import (
    INTERNAL_SECRET,
    SIGNING_KEY,
    Service,
    SigningKey,
    access_token,
    from_service,
    serve_jwks,
    service_token,
    signed_in,
)
from nexus_kit.tokens import TokenRefused, Verifier, verify_service_token
from redis.asyncio import Redis

from tests.servers import free_port

ISSUER = "https://nexus.test"


def _hs256_with_the_public_key() -> str:
    """The classic confusion: the published key, used as if it were a shared secret."""
    return _by_hand({"alg": "HS256", "typ": "at+jwt", "kid": SIGNING_KEY.kid}, SIGNING_KEY.public_pem.encode())


def _by_hand(header: dict[str, Any], secret: bytes | None) -> str:
    claims = json.loads(base64.urlsafe_b64decode(access_token().split(".")[1] + "=="))
    signed = f"{_b64(json.dumps(header).encode())}.{_b64(json.dumps(claims).encode())}"
    signature = hmac.digest(secret, signed.encode(), hashlib.sha256) if secret else b""
    return f"{signed}.{_b64(signature)}"


def _b64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def _with_claims_of(victim: str, attacker: str) -> str:
    head, _, signature = attacker.split(".")
    return f"{head}.{victim.split('.')[1]}.{signature}"


FORGERIES = {
    "empty": "",
    "not a token": "x",
    "two parts": "a.b",
    "three parts of nothing": "..",
    "not JSON": "e30.e30.e30",
    "expired": access_token(expires_in=-1),
    "of another issuer": access_token(iss="https://evil.test"),
    "without issuer": access_token(iss=None),
    "for another audience": access_token(aud="other"),
    "for us and others": access_token(aud=["nexus", "other"]),
    "without audience": access_token(aud=None),
    "without expiry": access_token(exp=None),
    "with an odd expiry": access_token(exp="tomorrow"),
    "not valid yet": access_token(nbf=int(time.time()) + 60),
    "without subject": access_token(sub=None),
    "of a subject that is no user": access_token(sub="root"),
    "without session": access_token(sid=None),
    "without id": access_token(jti=None),
    "whose roles are no list": access_token(roles="admin"),
    "with invented roles": access_token(roles=["root"]),
    "of another type": access_token(header={"typ": "JWT"}),
    "without type": access_token(header={"typ": None}),
    "without key id": access_token(header={"kid": None}),
    "with a key id that is no text": access_token(header={"kid": 7}),
    "signed by an unknown key": access_token(key=SigningKey()),
    "signed by an unknown key under a known name": access_token(key=SigningKey(), header={"kid": SIGNING_KEY.kid}),
    "with the key in its header": access_token(key=(evil := SigningKey()), header={"jwk": evil.jwk}),
    "with critical extensions": access_token(header={"crit": ["exp"]}),
    "unsigned": _by_hand({"alg": "none", "typ": "at+jwt", "kid": SIGNING_KEY.kid}, None),
    "signed with the public key": _hs256_with_the_public_key(),
    "signed with the services' secret": _by_hand(
        {"alg": "HS256", "typ": "at+jwt", "kid": SIGNING_KEY.kid}, INTERNAL_SECRET.encode()
    ),
    "with somebody else's claims": _with_claims_of(access_token(roles=["admin"]), access_token()),
    "of a service": service_token("bookings", "bookings"),
    "too long": access_token(padding="x" * 5000),
}


@pytest.mark.parametrize("token", FORGERIES.values(), ids=FORGERIES.keys())
async def test_no_other_token_names_a_user(client: httpx.AsyncClient, token: str) -> None:
    answer = await client.get("/api/v1/jars", headers={"Authorization": f"Bearer {token}"})

    assert answer.status_code == 401
    assert answer.json()["code"] in {"token_refused", "not_authenticated"}
    assert answer.headers["WWW-Authenticate"].startswith("Bearer")


@pytest.mark.parametrize("header", [b"Basic dXNlcjpwYXNz", b"Bearer", b"bearer", b"Token x", b"\xe9"])
async def test_another_way_to_authenticate_is_refused(client: httpx.AsyncClient, header: bytes) -> None:
    answer = await client.get("/api/v1/jars", headers={b"Authorization": header})

    assert (answer.status_code, answer.json()["code"]) == (401, "not_authenticated")


async def test_an_honest_token_is_accepted_until_it_expires(client: httpx.AsyncClient) -> None:
    headers = signed_in(expires_in=2)

    before = await client.get("/api/v1/jars", headers=headers)
    await asyncio.sleep(2.1)
    after = await client.get("/api/v1/jars", headers=headers)

    assert (before.status_code, after.status_code) == (200, 401)


async def test_a_revoked_session_is_refused_within_two_seconds(client: httpx.AsyncClient, service: Service) -> None:
    session_id = uuid4()
    headers = signed_in(sid=str(session_id))
    assert (await client.get("/api/v1/jars", headers=headers)).status_code == 200

    await service.events.set(revoked_session_key(session_id), "1", ex=600)
    await asyncio.sleep(2.1)

    assert (await client.get("/api/v1/jars", headers=headers)).status_code == 401


async def test_known_keys_verify_while_auth_is_away_and_a_made_up_kid_does_not_reach_it(service: Service) -> None:
    with serve_jwks() as url:
        verifier = Verifier(issuer=ISSUER, jwks_url=url, redis=service.events)
        await verifier.verify(access_token())

    await verifier.verify(access_token())

    with pytest.raises(TokenRefused):
        await verifier.verify(access_token(key=SigningKey()))


async def test_a_service_that_never_saw_the_keys_says_that_it_cannot_tell(service: Service) -> None:
    verifier = Verifier(issuer=ISSUER, jwks_url=f"http://127.0.0.1:{free_port()}/", redis=service.events)

    with pytest.raises(UpstreamUnavailable):
        await verifier.verify(access_token())


async def test_tokens_verify_while_redis_is_away(service: Service, jwks_url: str) -> None:
    async with Redis.from_url(f"redis://127.0.0.1:{free_port()}") as nobody:
        verifier = Verifier(issuer=ISSUER, jwks_url=jwks_url, redis=nobody)

        assert (await verifier.verify(access_token())).email_verified


def test_a_service_token_names_its_caller() -> None:
    assert verify_service_token(service_token("worker", "auth"), INTERNAL_SECRET, audience="auth") == "worker"


def _service_claims(**changed: Any) -> str:
    now = int(time.time())
    claims = {"iss": "worker", "aud": "auth", "iat": now, "exp": now + 60, **changed}
    present = {name: value for name, value in claims.items() if value is not None}
    return jwt.encode(present, INTERNAL_SECRET, "HS256", headers={"typ": "svc+jwt"})


@pytest.mark.parametrize(
    "token",
    [
        _service_claims(aud="bookings"),
        _service_claims(aud=None),
        _service_claims(exp=int(time.time()) - 1),
        _service_claims(exp=int(time.time()) + 3600),
        _service_claims(exp=None),
        _service_claims(iss=None),
        _service_claims(iat=None),
        jwt.encode(jwt.get_unverified_claims(_service_claims()), "x" * 32, "HS256", headers={"typ": "svc+jwt"}),
        jwt.encode(jwt.get_unverified_claims(_service_claims()), INTERNAL_SECRET, "HS256"),
        jwt.encode(jwt.get_unverified_claims(_service_claims()), INTERNAL_SECRET, "HS512", headers={"typ": "svc+jwt"}),
        access_token(),
        "x",
    ],
)
def test_no_other_token_names_a_service(token: str) -> None:
    with pytest.raises(TokenRefused):
        verify_service_token(token, INTERNAL_SECRET, audience="auth")


async def test_a_user_cannot_call_an_internal_route(client: httpx.AsyncClient) -> None:
    assert (await client.post("/internal/events", headers=signed_in(roles=["admin"]))).status_code == 401
    assert (await client.post("/internal/events")).status_code == 401
    assert (await client.post("/internal/events", headers=from_service("worker", "auth"))).status_code == 401
