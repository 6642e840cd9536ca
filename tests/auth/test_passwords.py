"""Forgotten and reset passwords, and how passwords are kept."""

import time

import httpx
from nexus_auth import passwords
from nexus_contracts.auth import PasswordResetRequested, SessionRevoked, UserEmailVerified
from nexus_kit.testing import Service
from sqlalchemy import text

from tests.auth.given import NEW_PASSWORD, PASSWORD, Account, code, facts, make_time_pass, refresh, registered


async def reset(client: httpx.AsyncClient, token: str, password: str = NEW_PASSWORD) -> httpx.Response:
    return await client.post("/api/v1/auth/reset-password", json={"token": token, "password": password})


async def test_forgetting_asks_for_a_mail_and_does_not_tell_who_has_an_account(
    service: Service, client: httpx.AsyncClient, makeda: Account
) -> None:
    known = await client.post("/api/v1/auth/forgot-password", json={"email": "Makeda@nexus.example"})
    unknown = await client.post("/api/v1/auth/forgot-password", json={"email": "nobody@nexus.example"})

    assert (known.status_code, known.content) == (unknown.status_code, unknown.content)
    assert known.status_code == 202
    assert await facts(service, PasswordResetRequested) == [PasswordResetRequested(user_id=makeda.user_id)]


async def test_a_reset_sets_the_password_and_ends_every_session(
    service: Service, client: httpx.AsyncClient, makeda: Account
) -> None:
    sessions = [await makeda.sign_in(), await makeda.sign_in()]

    assert (await reset(client, await makeda.mailed("reset_password"))).status_code == 204

    assert [code(await refresh(client, each["refresh_token"])) for each in sessions] == [(401, "session_revoked")] * 2
    assert {fact.user_id for fact in await facts(service, SessionRevoked)} == {makeda.user_id}
    assert len(await facts(service, SessionRevoked)) == 2
    old = await client.post("/api/v1/auth/login", json={"email": makeda.email, "password": PASSWORD})
    assert code(old) == (401, "invalid_credentials")
    makeda.password = NEW_PASSWORD
    await makeda.sign_in()


async def test_a_reset_link_works_once_and_for_an_hour(
    service: Service, client: httpx.AsyncClient, makeda: Account
) -> None:
    late = await makeda.mailed("reset_password")
    await make_time_pass(service, "one_time_tokens", "1 hour 1 second")
    token, spare = await makeda.mailed("reset_password"), await makeda.mailed("reset_password")

    assert code(await reset(client, late)) == (400, "invalid_token")
    assert (await reset(client, token)).status_code == 204
    assert code(await reset(client, token)) == (400, "invalid_token")
    assert code(await reset(client, spare)) == (400, "invalid_token")


async def test_a_refused_password_leaves_the_link_good(client: httpx.AsyncClient, makeda: Account) -> None:
    token = await makeda.mailed("reset_password")

    refused = await reset(client, token, password=makeda.email)

    assert code(refused) == (422, "validation_failed")
    assert (await reset(client, token)).status_code == 204


async def test_an_account_that_a_stranger_made_with_my_address_becomes_mine(
    service: Service, client: httpx.AsyncClient
) -> None:
    strangers = await registered(service, client, "makeda@nexus.example")
    session = await strangers.sign_in()

    assert (await reset(client, await strangers.mailed("reset_password"))).status_code == 204

    assert code(await refresh(client, session["refresh_token"])) == (401, "session_revoked")
    assert await facts(service, UserEmailVerified) == [UserEmailVerified(user_id=strangers.user_id)]
    mine = Account(service, client, strangers.user_id, strangers.email, NEW_PASSWORD)
    await mine.sign_in()


async def test_keyboards_that_spell_one_password_differently_open_the_same_account(
    service: Service, client: httpx.AsyncClient, makeda: Account
) -> None:
    await reset(client, await makeda.mailed("reset_password"), password="Ångström und Café")
    makeda.password = "A\u030angstro\u0308m und Cafe\u0301"

    await makeda.sign_in()


async def test_spaces_around_a_password_are_part_of_it(client: httpx.AsyncClient, makeda: Account) -> None:
    await reset(client, await makeda.mailed("reset_password"), password="  spaces on both sides ")

    trimmed = await client.post("/api/v1/auth/login", json={"email": makeda.email, "password": "spaces on both sides"})

    assert code(trimmed) == (401, "invalid_credentials")
    makeda.password = "  spaces on both sides "
    await makeda.sign_in()


async def test_a_password_is_kept_as_argon2id_with_the_parameters_that_we_measured(
    service: Service, makeda: Account
) -> None:
    async with service.database.unit_of_work() as session:
        stored = (await session.execute(text("SELECT password_hash FROM users"))).scalar_one()

    assert stored.startswith("$argon2id$v=19$m=19456,t=2,p=1$")


async def test_a_login_without_an_account_takes_as_long_as_one_with_a_wrong_password() -> None:
    stored = await passwords.hash_password(PASSWORD)

    wrong = min([await _seconds("wrong", stored) for _ in range(7)])
    nobody = min([await _seconds("wrong", None) for _ in range(7)])

    assert 0.5 < nobody / wrong < 2
    assert not await passwords.verify_password(PASSWORD, None)
    assert await passwords.verify_password(PASSWORD, stored)


async def _seconds(password: str, stored: str | None) -> float:
    begun = time.perf_counter()
    await passwords.verify_password(password, stored)
    return time.perf_counter() - begun


async def test_one_time_tokens_are_kept_as_hashes_alone(service: Service, makeda: Account) -> None:
    token = await makeda.mailed("reset_password")

    async with service.database.unit_of_work() as session:
        rows = (await session.execute(text("SELECT * FROM one_time_tokens"))).all()

    assert len(rows) == 1
    assert token not in repr(rows)
