"""The refresh token: any history of a session goes by the table of docs/decisions/0008, and nothing forged gets in."""

import base64
from uuid import UUID, uuid4

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from jose import jwt
from nexus_auth.refresh_tokens import RefreshToken
from nexus_contracts.auth import SessionRevoked
from nexus_kit.testing import Service

from tests.auth.given import Account, bearer, code, facts, make_time_pass, refresh, registered

LOG_OUT = -1
histories = st.lists(st.one_of(st.just(0), st.integers(0, 4), st.just(LOG_OUT)), min_size=1, max_size=10)
"""Each step logs out, or presents the refresh token that is so many steps old."""


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(history=histories)
async def test_any_history_of_a_session_goes_by_the_table(
    client: httpx.AsyncClient, makeda: Account, history: list[int]
) -> None:
    pair = await makeda.sign_in()
    issued, alive = [pair["refresh_token"]], True

    for step in history:
        if step == LOG_OUT:
            await client.post("/api/v1/auth/logout", headers=bearer(pair))
            alive = False
            continue
        age = min(step, len(issued) - 1)
        answer = await refresh(client, issued[-1 - age])
        alive = alive and age <= 1
        if not alive:
            assert code(answer) == (401, "session_revoked")
        elif age == 0:
            assert answer.json()["refresh_token"] not in issued
            issued.append(answer.json()["refresh_token"])
        else:
            assert answer.json()["refresh_token"] == issued[-1]


async def test_a_replayed_refresh_token_ends_the_session_for_thief_and_owner(
    service: Service, client: httpx.AsyncClient, makeda: Account
) -> None:
    stolen = (await makeda.sign_in())["refresh_token"]
    second = (await refresh(client, stolen)).json()["refresh_token"]
    third = (await refresh(client, second)).json()["refresh_token"]

    replayed = await refresh(client, stolen)

    assert code(replayed) == (401, "session_revoked")
    assert code(await refresh(client, third)) == (401, "session_revoked")
    assert len(await facts(service, SessionRevoked)) == 1


async def test_a_refreshed_access_token_says_what_has_changed_since(
    service: Service, client: httpx.AsyncClient
) -> None:
    account = await registered(service, client, "makeda@nexus.example")
    before = await account.sign_in()
    await account.verify()

    after = (await refresh(client, before["refresh_token"])).json()

    claims = [jwt.get_unverified_claims(pair["access_token"]) for pair in (before, after)]
    assert [each["email_verified"] for each in claims] == [False, True]
    assert claims[0]["sid"] == claims[1]["sid"]
    assert claims[0]["jti"] != claims[1]["jti"]


@pytest.mark.parametrize("passed", ["30 days 1 second", "180 days 1 second"])
async def test_a_session_that_nobody_used_for_thirty_days_is_over(
    service: Service, client: httpx.AsyncClient, makeda: Account, passed: str
) -> None:
    pair = await makeda.sign_in()
    await make_time_pass(service, "sessions", passed)

    assert code(await refresh(client, pair["refresh_token"])) == (401, "session_revoked")


async def test_a_session_in_daily_use_is_over_after_half_a_year(
    service: Service, client: httpx.AsyncClient, makeda: Account
) -> None:
    token = (await makeda.sign_in())["refresh_token"]
    for _ in range(6):
        await make_time_pass(service, "sessions", "29 days")
        token = (await refresh(client, token)).json()["refresh_token"]

    await make_time_pass(service, "sessions", "6 days 1 second")

    assert code(await refresh(client, token)) == (401, "session_revoked")


async def test_a_forged_refresh_token_gets_nothing_and_harms_nobody(
    service: Service, client: httpx.AsyncClient, makeda: Account
) -> None:
    genuine = (await makeda.sign_in())["refresh_token"]
    claimed = RefreshToken.read(genuine)
    assert claimed is not None
    forged = [
        RefreshToken.issue(claimed.session_id, 0, b"not the session's key"),
        RefreshToken.issue(claimed.session_id, 7, b"not the session's key"),
        RefreshToken.issue(uuid4(), 0, b"no session at all"),
        genuine[:-1] + ("A" if genuine[-1] != "A" else "B"),
        genuine[:-4],
        genuine + "AAAA",
        genuine + "=",
        genuine.upper(),
        base64.urlsafe_b64encode(b"x" * 48).decode(),
        "",
        "ማክዳ",
        "eyJhbGciOiJub25lIn0.e30.",
    ]

    for token in forged:
        assert code(await refresh(client, token)) == (401, "invalid_refresh_token"), token

    assert await facts(service, SessionRevoked) == []
    assert (await refresh(client, genuine)).status_code == 200


async def test_an_access_token_is_not_a_refresh_token_and_the_reverse(
    client: httpx.AsyncClient, makeda: Account
) -> None:
    pair = await makeda.sign_in()

    swapped = await refresh(client, pair["access_token"])
    as_bearer = await client.get("/api/v1/auth/me", headers={"Authorization": f"Bearer {pair['refresh_token']}"})

    assert code(swapped) == (401, "invalid_refresh_token")
    assert code(as_bearer) == (401, "token_refused")


@given(session_id=st.uuids(), counter=st.integers(0, 2**64 - 1), key=st.binary(min_size=32, max_size=32))
def test_what_is_issued_can_be_read_and_only_its_key_opens_it(session_id: UUID, counter: int, key: bytes) -> None:
    token = RefreshToken.issue(session_id, counter, key)

    read = RefreshToken.read(token)

    assert len(token) == 64
    assert read is not None
    assert (read.session_id, read.counter) == (session_id, counter)
    assert read.sealed_with(key)
    assert not read.sealed_with(bytes([key[0] ^ 1]) + key[1:])


@given(st.text(max_size=100))
def test_no_string_upsets_the_reader(anything: str) -> None:
    read = RefreshToken.read(anything)

    assert read is None or not read.sealed_with(b"k" * 32)
