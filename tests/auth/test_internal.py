"""What other services ask auth, and who may ask."""

import time
from uuid import uuid4

import httpx
import pytest
from jose import jwt
from nexus_contracts.access_token import SERVICE_TOKEN_ALGORITHM, SERVICE_TOKEN_SECONDS, SERVICE_TOKEN_TYPE
from nexus_kit.testing import INTERNAL_SECRET, Service, access_token, from_service, service_token
from nexus_kit.tokens import mint_service_token

from tests.auth.given import Account, code, registered

LONG_AGO = int(time.time()) - SERVICE_TOKEN_SECONDS - 5
EXPIRED = jwt.encode(
    {"iss": "worker", "aud": "auth", "iat": LONG_AGO, "exp": LONG_AGO + SERVICE_TOKEN_SECONDS},
    INTERNAL_SECRET,
    SERVICE_TOKEN_ALGORITHM,
    headers={"typ": SERVICE_TOKEN_TYPE},
)


async def test_a_service_asks_for_a_recipient(service: Service, client: httpx.AsyncClient) -> None:
    account = await registered(service, client, "makeda@nexus.example")

    answer = await client.get(f"/internal/users/{account.user_id}", headers=from_service("worker", "auth"))

    assert answer.json() == {
        "id": str(account.user_id),
        "email": "makeda@nexus.example",
        "full_name": "Makeda Tesfaye",
        "email_verified": False,
    }


async def test_a_token_is_minted_for_the_mail_that_will_carry_it(client: httpx.AsyncClient, makeda: Account) -> None:
    answer = await client.post(
        f"/internal/users/{makeda.user_id}/tokens",
        json={"purpose": "reset_password"},
        headers=from_service("worker", "auth"),
    )

    assert answer.status_code == 201
    assert answer.json().keys() == {"token", "expires_at"}
    assert answer.json()["expires_at"].endswith("Z")


@pytest.mark.parametrize("purpose", ["", "VERIFY_EMAIL", "sign_in", None, 1])
async def test_a_token_is_minted_for_known_purposes_only(
    client: httpx.AsyncClient, makeda: Account, purpose: object
) -> None:
    answer = await client.post(
        f"/internal/users/{makeda.user_id}/tokens", json={"purpose": purpose}, headers=from_service("worker", "auth")
    )

    assert code(answer) == (422, "validation_failed")


async def test_an_unknown_user_is_not_found(client: httpx.AsyncClient) -> None:
    caller = from_service("worker", "auth")

    recipient = await client.get(f"/internal/users/{uuid4()}", headers=caller)
    token = await client.post(f"/internal/users/{uuid4()}/tokens", json={"purpose": "verify_email"}, headers=caller)

    assert code(recipient) == code(token) == (404, "not_found")


@pytest.mark.parametrize(
    ("credentials", "refusal"),
    [
        (None, "not_authenticated"),
        (service_token("worker", "bookings"), "token_refused"),
        (EXPIRED, "token_refused"),
        (mint_service_token("some other secret of the same length", caller="worker", audience="auth"), "token_refused"),
        (access_token(roles=["user", "admin"]), "token_refused"),
    ],
    ids=["none", "for another service", "expired", "signed by a stranger", "an admin's"],
)
async def test_internal_routes_are_for_services_with_a_token_for_auth(
    client: httpx.AsyncClient, makeda: Account, credentials: str | None, refusal: str
) -> None:
    headers = {"Authorization": f"Bearer {credentials}"} if credentials else {}

    answers = [
        await client.get(f"/internal/users/{makeda.user_id}", headers=headers),
        await client.post(
            f"/internal/users/{makeda.user_id}/tokens", json={"purpose": "verify_email"}, headers=headers
        ),
        await client.post("/internal/events", json={}, headers=headers),
    ]

    assert [code(answer) for answer in answers] == [(401, refusal)] * 3
