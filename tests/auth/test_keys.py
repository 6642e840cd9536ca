"""The published keys, and the access token to the letter."""

import time
from uuid import uuid4

import httpx
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from jose import jwt
from nexus_auth.keys.service import KeyRing
from nexus_auth.settings import Settings
from nexus_contracts.access_token import Role
from nexus_kit.testing import INTERNAL_SECRET, PUBLIC_URL, SIGNING_KEY, SigningKey
from pydantic import ValidationError

from tests.auth.given import Account

NEXT, FORMER = SigningKey(), SigningKey()
SOMEBODY = uuid4()


def settings(**own: str) -> Settings:
    shared = {"database_url": "-", "events_url": "-", "cache_url": "-", "jwks_url": "-"}
    given = shared | {"internal_secret": INTERNAL_SECRET, "issuer": PUBLIC_URL, "public_url": PUBLIC_URL} | own
    return Settings.model_validate(given)


def pem(private: ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey) -> str:
    return private.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    ).decode()


async def test_anybody_may_read_the_key_set_and_keep_it_for_five_minutes(client: httpx.AsyncClient) -> None:
    answer = await client.get("/.well-known/jwks.json")

    assert answer.json() == {"keys": [SIGNING_KEY.jwk]}
    assert answer.headers["Cache-Control"] == "public, max-age=300"


async def test_an_access_token_says_exactly_what_the_contract_says(makeda: Account) -> None:
    token = (await makeda.sign_in())["access_token"]

    claims = jwt.decode(token, SIGNING_KEY.jwk, algorithms=["ES256"], audience="nexus", issuer=PUBLIC_URL)
    assert jwt.get_unverified_header(token) == {"alg": "ES256", "typ": "at+jwt", "kid": SIGNING_KEY.kid}
    assert claims.keys() == {"iss", "aud", "sub", "sid", "exp", "iat", "jti", "roles", "email_verified"}
    assert (claims["sub"], claims["roles"], claims["email_verified"]) == (str(makeda.user_id), ["user"], True)
    assert claims["exp"] - claims["iat"] == 600
    assert abs(time.time() - claims["iat"]) < 30


def test_the_next_and_the_former_key_are_published_and_do_not_sign() -> None:
    ring = KeyRing(
        settings(signing_key=SIGNING_KEY.private_pem, published_keys=f"{NEXT.public_pem}\n{FORMER.public_pem}")
    )

    published = ring.jwks.model_dump()["keys"]

    assert published == [SIGNING_KEY.jwk, NEXT.jwk, FORMER.jwk]
    assert _kid(ring) == SIGNING_KEY.kid


def test_a_rotation_never_leaves_a_token_without_its_published_key() -> None:
    """The three deployments of the runbook."""
    announced = KeyRing(settings(signing_key=FORMER.private_pem, published_keys=NEXT.public_pem))
    signing = KeyRing(settings(signing_key=NEXT.private_pem, published_keys=FORMER.public_pem + NEXT.public_pem))
    withdrawn = KeyRing(settings(signing_key=NEXT.private_pem))

    assert [key.kid for key in announced.jwks.keys] == [FORMER.kid, NEXT.kid]
    assert [key.kid for key in signing.jwks.keys] == [NEXT.kid, FORMER.kid]
    assert [key.kid for key in withdrawn.jwks.keys] == [NEXT.kid]
    assert [_kid(ring) for ring in (announced, signing, withdrawn)] == [FORMER.kid, NEXT.kid, NEXT.kid]


def _kid(ring: KeyRing) -> str:
    token = ring.access_token(SOMEBODY, SOMEBODY, roles=[Role.USER], email_verified=True)
    kid: str = jwt.get_unverified_header(token)["kid"]
    return kid


@pytest.mark.parametrize(
    ("signing_key", "published_keys"),
    [
        ("", ""),
        ("not a key", ""),
        (SIGNING_KEY.public_pem, ""),
        (pem(ec.generate_private_key(ec.SECP384R1())), ""),
        (pem(rsa.generate_private_key(65537, 2048)), ""),
        (SIGNING_KEY.private_pem, "not a key"),
        (SIGNING_KEY.private_pem, NEXT.private_pem),
        (SIGNING_KEY.private_pem, NEXT.public_pem + "and something else"),
    ],
)
def test_a_wrong_key_stops_the_service_at_its_start(signing_key: str, published_keys: str) -> None:
    with pytest.raises((ValueError, TypeError)):
        KeyRing(settings(signing_key=signing_key, published_keys=published_keys))


def test_there_is_no_signing_key_by_default() -> None:
    with pytest.raises(ValidationError, match="signing_key"):
        settings()
