"""Signing in and out, and the list of devices."""

from collections.abc import Awaitable, Callable
from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest
from nexus_contracts.auth import SessionRevoked
from nexus_kit.testing import Service
from sqlalchemy import text

from tests.auth.given import PASSWORD, Account, bearer, code, facts, make_time_pass, refresh

SESSIONS = "/api/v1/auth/sessions"


async def devices(client: httpx.AsyncClient, pair: dict[str, str]) -> list[dict[str, Any]]:
    answer = await client.get(SESSIONS, headers=bearer(pair))
    assert answer.status_code == 200, answer.text
    items: list[dict[str, Any]] = answer.json()["items"]
    return items


async def test_signing_in_answers_a_pair_that_nothing_may_keep(client: httpx.AsyncClient, makeda: Account) -> None:
    answer = await client.post("/api/v1/auth/login", json={"email": makeda.email, "password": PASSWORD})

    pair = answer.json()
    assert pair.keys() == {"access_token", "token_type", "expires_in", "refresh_token"}
    assert (pair["token_type"], pair["expires_in"]) == ("Bearer", 600)
    assert answer.headers["Cache-Control"] == "no-store"


async def test_a_wrong_address_and_a_wrong_password_cannot_be_told_apart(
    client: httpx.AsyncClient, makeda: Account
) -> None:
    wrong_password = await client.post("/api/v1/auth/login", json={"email": makeda.email, "password": "wrong"})
    wrong_address = await client.post("/api/v1/auth/login", json={"email": "no@nexus.example", "password": PASSWORD})

    assert code(wrong_password) == (401, "invalid_credentials")
    assert wrong_password.headers["WWW-Authenticate"] == "Bearer"
    assert wrong_password.headers.keys() == wrong_address.headers.keys()
    told = [answer.json() | {"request_id": ""} for answer in (wrong_password, wrong_address)]
    assert told[0] == told[1]


async def test_each_device_is_listed_with_what_its_owner_recognises_it_by(
    client: httpx.AsyncClient, makeda: Account, dawit: Account
) -> None:
    telephone = await makeda.sign_in(**{"User-Agent": "NexusApp/2.1"})
    browser = await makeda.sign_in(**{"User-Agent": "Firefox"})
    await dawit.sign_in()

    listed = await devices(client, telephone)

    assert [(each["user_agent"], each["current"], each["ip"]) for each in listed] == [
        ("Firefox", False, "127.0.0.1"),
        ("NexusApp/2.1", True, "127.0.0.1"),
    ]
    assert listed[0].keys() == {"id", "created_at", "last_used_at", "ip", "user_agent", "current"}
    assert [each["current"] for each in await devices(client, browser)] == [True, False]


async def test_a_long_list_of_devices_is_read_in_pages_of_ones_own(
    client: httpx.AsyncClient, makeda: Account, dawit: Account
) -> None:
    pair, *_ = [await makeda.sign_in() for _ in range(3)]

    first = (await client.get(SESSIONS, params={"limit": 2}, headers=bearer(pair))).json()
    rest = (
        await client.get(SESSIONS, params={"limit": 2, "cursor": first["next_cursor"]}, headers=bearer(pair))
    ).json()
    dawits = bearer(await dawit.sign_in())
    foreign = await client.get(SESSIONS, params={"limit": 2, "cursor": first["next_cursor"]}, headers=dawits)

    assert len({each["id"] for each in first["items"] + rest["items"]}) == 3
    assert rest["next_cursor"] is None
    assert code(foreign) == (400, "cursor_mismatch")


async def test_refreshing_shows_where_the_device_is_now(client: httpx.AsyncClient, makeda: Account) -> None:
    pair = await makeda.sign_in(**{"User-Agent": "NexusApp/2.1"})
    before = (await devices(client, pair))[0]

    body = {"refresh_token": pair["refresh_token"]}
    await client.post("/api/v1/auth/refresh", json=body, headers={"User-Agent": "NexusApp/2.2"})

    after = (await devices(client, pair))[0]
    assert (after["id"], after["user_agent"]) == (before["id"], "NexusApp/2.2")
    assert after["last_used_at"] > before["last_used_at"]


Ending = Callable[[httpx.AsyncClient, Account, dict[str, str], str], Awaitable[object]]


async def log_out(client: httpx.AsyncClient, _: Account, pair: dict[str, str], __: str) -> object:
    return await client.post("/api/v1/auth/logout", headers=bearer(pair))


async def revoke_it_from_another(client: httpx.AsyncClient, owner: Account, _: dict[str, str], ending: str) -> object:
    return await client.delete(f"{SESSIONS}/{ending}", headers=bearer(await owner.sign_in()))


async def revoke_all_others(client: httpx.AsyncClient, owner: Account, _: dict[str, str], __: str) -> object:
    return await client.delete(SESSIONS, headers=bearer(await owner.sign_in()))


@pytest.mark.parametrize("end", [log_out, revoke_it_from_another, revoke_all_others])
async def test_an_ended_session_is_announced_refuses_refreshing_and_forgets_its_place(
    service: Service, client: httpx.AsyncClient, makeda: Account, end: Ending
) -> None:
    pair = await makeda.sign_in(**{"User-Agent": "NexusApp/2.1"})
    ending = (await devices(client, pair))[0]["id"]

    await end(client, makeda, pair, ending)

    assert await facts(service, SessionRevoked) == [SessionRevoked(session_id=UUID(ending), user_id=makeda.user_id)]
    assert code(await refresh(client, pair["refresh_token"])) == (401, "session_revoked")
    async with service.database.unit_of_work() as session:
        kept = await session.execute(text("SELECT ip, user_agent FROM sessions WHERE id = :id"), {"id": ending})
    assert kept.one() == (None, None)


async def test_revoking_all_others_keeps_the_session_that_asks(client: httpx.AsyncClient, makeda: Account) -> None:
    kept = [await makeda.sign_in() for _ in range(3)][1]

    answer = await client.delete(SESSIONS, headers=bearer(kept))

    assert answer.status_code == 204
    assert [each["current"] for each in await devices(client, kept)] == [True]
    assert (await refresh(client, kept["refresh_token"])).status_code == 200


async def test_somebody_elses_session_is_not_found(
    service: Service, client: httpx.AsyncClient, makeda: Account, dawit: Account
) -> None:
    hers = await makeda.sign_in()
    her_session = (await devices(client, hers))[0]["id"]
    his = bearer(await dawit.sign_in())

    foreign = await client.delete(f"{SESSIONS}/{her_session}", headers=his)
    unknown = await client.delete(f"{SESSIONS}/{uuid4()}", headers=his)
    malformed = await client.delete(f"{SESSIONS}/all", headers=his)

    assert code(foreign) == code(unknown) == (404, "not_found")
    assert code(malformed) == (422, "validation_failed")
    assert await facts(service, SessionRevoked) == []
    assert (await refresh(client, hers["refresh_token"])).status_code == 200


async def test_logging_out_twice_is_announced_once(
    service: Service, client: httpx.AsyncClient, makeda: Account
) -> None:
    pair = await makeda.sign_in()

    answers = [await client.post("/api/v1/auth/logout", headers=bearer(pair)) for _ in range(2)]

    assert [answer.status_code for answer in answers] == [204, 204]
    assert len(await facts(service, SessionRevoked)) == 1


async def test_an_expired_session_is_no_longer_a_device(
    service: Service, client: httpx.AsyncClient, makeda: Account
) -> None:
    await makeda.sign_in()
    await make_time_pass(service, "sessions", "30 days 1 second")

    listed = await devices(client, await makeda.sign_in())

    assert [each["current"] for each in listed] == [True]


@pytest.mark.parametrize(
    ("method", "path"),
    [
        *(("GET", path) for path in ("me", "sessions")),
        *(("DELETE", path) for path in ("me", "sessions", "sessions/01a1fb78-251c-7945-8606-069073ac2654")),
        ("PATCH", "me"),
        ("POST", "logout"),
    ],
)
async def test_what_belongs_to_a_user_needs_an_access_token(client: httpx.AsyncClient, method: str, path: str) -> None:
    answer = await client.request(method, f"/api/v1/auth/{path}")

    assert code(answer) == (401, "not_authenticated")
    assert answer.headers["WWW-Authenticate"].startswith("Bearer")
