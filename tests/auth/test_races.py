"""What happens when many do the same at once."""

import asyncio
from collections.abc import Coroutine

import httpx
from nexus_contracts.auth import RegistrationRepeated, SessionRevoked, UserEmailVerified, UserRegistered
from nexus_kit.testing import Service
from sqlalchemy import text

from tests.auth.given import Account, bearer, code, facts, refresh, register, registered


async def test_fifty_tabs_that_refresh_at_once_all_hold_the_same_current_token(
    service: Service, client: httpx.AsyncClient, makeda: Account
) -> None:
    token = (await makeda.sign_in())["refresh_token"]

    answers = await asyncio.gather(*(refresh(client, token) for _ in range(50)))

    assert {answer.status_code for answer in answers} == {200}
    (current,) = {answer.json()["refresh_token"] for answer in answers}
    assert (await refresh(client, current)).status_code == 200
    assert await facts(service, SessionRevoked) == []
    async with service.database.unit_of_work() as session:
        live = await session.execute(text("SELECT refresh_counter FROM sessions WHERE ended_at IS NULL"))
    assert live.scalars().all() == [2]


async def test_twenty_registrations_of_one_address_make_one_account(
    service: Service, client: httpx.AsyncClient
) -> None:
    answers = await asyncio.gather(*(register(client, "makeda@nexus.example") for _ in range(20)))

    assert {(answer.status_code, answer.content) for answer in answers} == {(202, answers[0].content)}
    assert len(await facts(service, UserRegistered)) == 1
    assert len(await facts(service, RegistrationRepeated)) == 19


async def test_of_ten_that_use_one_mailed_token_one_succeeds(service: Service, client: httpx.AsyncClient) -> None:
    account = await registered(service, client, "makeda@nexus.example")
    tokens = [await account.mailed("verify_email") for _ in range(2)] * 5

    answers = await asyncio.gather(
        *(client.post("/api/v1/auth/verify-email", json={"token": token}) for token in tokens)
    )

    assert sorted(answer.status_code for answer in answers) == [204] + [400] * 9
    assert len(await facts(service, UserEmailVerified)) == 1


async def test_a_session_that_begins_while_the_password_is_reset_does_not_survive_it(
    service: Service, client: httpx.AsyncClient, makeda: Account
) -> None:
    credentials = {"email": makeda.email, "password": makeda.password}

    login = await answer_that_waits_for(
        service,
        "UPDATE users SET password_hash = 'that of another password'",
        client.post("/api/v1/auth/login", json=credentials),
    )

    assert code(login) == (401, "invalid_credentials")


async def test_a_refresh_that_waited_goes_by_what_happened_in_the_meantime(
    service: Service, client: httpx.AsyncClient, makeda: Account
) -> None:
    token = (await makeda.sign_in())["refresh_token"]

    late = await answer_that_waits_for(
        service, "UPDATE sessions SET refresh_counter = refresh_counter + 2", refresh(client, token)
    )

    assert code(late) == (401, "session_revoked")


async def answer_that_waits_for(
    service: Service, change: str, call: Coroutine[None, None, httpx.Response]
) -> httpx.Response:
    """What `call` answers when it begins before `change` is committed, and has to wait for it."""
    async with service.database.unit_of_work() as session:
        await session.execute(text(change))
        answer = asyncio.create_task(call)
        waiting = 0
        while not (waiting or answer.done()):
            await asyncio.sleep(0.01)
            waiting = await session.scalar(text("SELECT count(*) FROM pg_locks WHERE NOT granted")) or 0
    return await answer


async def test_devices_that_sign_each_other_out_at_once_leave_at_most_one_and_no_error(
    service: Service, client: httpx.AsyncClient, makeda: Account
) -> None:
    pairs = [await makeda.sign_in() for _ in range(8)]

    answers = await asyncio.gather(*(client.delete("/api/v1/auth/sessions", headers=bearer(pair)) for pair in pairs))

    assert {answer.status_code for answer in answers} == {204}
    ended = [fact.session_id for fact in await facts(service, SessionRevoked)]
    assert len(ended) == len(set(ended)) >= 7
