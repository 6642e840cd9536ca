"""Registering and proving the address."""

import time

import httpx
import pytest
from nexus_auth.limits import EVEN_SECONDS
from nexus_contracts.auth import EmailVerificationRequested, RegistrationRepeated, UserEmailVerified, UserRegistered
from nexus_kit.testing import Service

from tests.auth.given import PASSWORD, Account, bearer, code, facts, make_time_pass, register, registered

FULL_WIDTH = ord("\N{FULLWIDTH LATIN SMALL LETTER A}") - ord("a")


async def test_registering_makes_an_unverified_account_and_asks_for_a_mail(
    service: Service, client: httpx.AsyncClient
) -> None:
    account = await registered(service, client, "makeda@nexus.example")

    profile = (await client.get("/api/v1/auth/me", headers=bearer(await account.sign_in()))).json()

    assert (profile["email"], profile["email_verified"], profile["roles"]) == (account.email, False, ["user"])
    assert [event.type for event in await service.published()] == [UserRegistered.TYPE, EmailVerificationRequested.TYPE]


async def test_registering_a_taken_address_looks_the_same_and_has_its_owner_told(
    service: Service, client: httpx.AsyncClient, makeda: Account
) -> None:
    fresh = await register(client, "dawit@nexus.example")

    taken = await register(client, makeda.email, password="another passphrase", full_name="Somebody Else")

    assert (taken.status_code, taken.content) == (fresh.status_code, fresh.content)
    assert taken.headers.keys() == fresh.headers.keys()
    assert await facts(service, RegistrationRepeated) == [RegistrationRepeated(user_id=makeda.user_id)]
    profile = (await client.get("/api/v1/auth/me", headers=bearer(await makeda.sign_in()))).json()
    assert profile["full_name"] == "Makeda Tesfaye"


@pytest.mark.parametrize("email", ["makeda@nexus.example", "nobody@nexus.example"])
async def test_no_answer_about_an_address_comes_so_soon_that_it_tells_something(
    client: httpx.AsyncClient, makeda: Account, email: str
) -> None:
    for path, body in {
        "register": {"email": email, "password": PASSWORD, "full_name": "Somebody"},
        "forgot-password": {"email": email},
    }.items():
        begun = time.monotonic()

        await client.post(f"/api/v1/auth/{path}", json=body)

        assert time.monotonic() - begun >= EVEN_SECONDS


@pytest.mark.parametrize(
    ("typed", "stored"),
    [
        ("MAKEDA@Nexus.Example", "makeda@nexus.example"),
        ("  makeda@nexus.example ", "makeda@nexus.example"),
        ("makeda@bücher.example", "makeda@xn--bcher-kva.example"),
        ("makeda@XN--BCHER-KVA.example", "makeda@xn--bcher-kva.example"),
    ],
)
async def test_two_spellings_of_one_address_are_one_account(
    service: Service, client: httpx.AsyncClient, typed: str, stored: str
) -> None:
    await registered(service, client, stored)

    assert (await register(client, typed)).status_code == 202

    assert len(await facts(service, UserRegistered)) == 1
    assert len(await facts(service, RegistrationRepeated)) == 1
    login = await client.post("/api/v1/auth/login", json={"email": typed, "password": PASSWORD})
    assert login.status_code == 200


async def test_a_mailed_token_proves_the_address_once(service: Service, client: httpx.AsyncClient) -> None:
    account = await registered(service, client, "makeda@nexus.example")
    token, other = await account.mailed("verify_email"), await account.mailed("verify_email")

    used = await client.post("/api/v1/auth/verify-email", json={"token": token})
    again = await client.post("/api/v1/auth/verify-email", json={"token": token})
    spare = await client.post("/api/v1/auth/verify-email", json={"token": other})

    assert used.status_code == 204
    assert code(again) == code(spare) == (400, "invalid_token")
    assert await facts(service, UserEmailVerified) == [UserEmailVerified(user_id=account.user_id)]
    profile = (await client.get("/api/v1/auth/me", headers=bearer(await account.sign_in()))).json()
    assert profile["email_verified"] is True


async def test_unknown_expired_and_misused_tokens_cannot_be_told_apart(
    service: Service, client: httpx.AsyncClient
) -> None:
    account = await registered(service, client, "makeda@nexus.example")
    expired = await account.mailed("verify_email")
    await make_time_pass(service, "one_time_tokens", "24 hours 1 second")
    for_another_purpose = await account.mailed("reset_password")

    answers = [
        (await client.post("/api/v1/auth/verify-email", json={"token": token})).json()
        for token in ("never-minted", expired, for_another_purpose)
    ]

    for answer in answers:
        answer.pop("request_id")
    assert answers[0]["code"] == "invalid_token"
    assert answers[0] == answers[1] == answers[2]
    assert await facts(service, UserEmailVerified) == []


@pytest.mark.parametrize(
    ("field", "value", "error"),
    [
        ("email", "not an address", "email_invalid"),
        ("email", "makeda@localhost", "email_invalid"),
        ("email", "ማክዳ@nexus.example", "email_invalid"),
        ("email", "a" * 250 + "@nexus.example", "string_too_long"),
        ("email", None, "string_type"),
        ("email", {"$ne": ""}, "string_type"),
        ("email", "makeda\x00@nexus.example", "value_error"),
        ("password", "too short", "string_too_short"),
        ("password", "x" * 129, "string_too_long"),
        ("password", "Password123", "password_too_common"),
        ("password", "".join(chr(ord(each) + FULL_WIDTH) for each in "password123"), "password_too_common"),
        ("password", "Makeda@nexus.example", "password_is_email"),
        ("full_name", "   ", "string_too_short"),
        ("full_name", "x" * 201, "string_too_long"),
        ("roles", ["admin"], "extra_forbidden"),
    ],
)
async def test_a_bad_registration_names_the_field_and_what_is_wrong(
    service: Service, client: httpx.AsyncClient, field: str, value: object, error: str
) -> None:
    answer = await register(client, **{"email": "makeda@nexus.example", field: value})  # type: ignore[arg-type]

    assert code(answer) == (422, "validation_failed")
    assert [(found["pointer"], found["code"]) for found in answer.json()["errors"]] == [(f"/{field}", error)]
    assert await service.published() == []


async def test_a_refused_password_is_not_repeated_in_the_answer(client: httpx.AsyncClient) -> None:
    answer = await register(client, "makeda@nexus.example", password="tiny-pwd")

    assert answer.status_code == 422
    assert "tiny-pwd" not in answer.text
