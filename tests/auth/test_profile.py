"""One's own account: read, changed, erased."""

import httpx
from nexus_contracts.auth import SessionRevoked, UserDeleted, UserUpdated
from nexus_kit.testing import Service, from_service
from sqlalchemy import text

from tests.auth.given import PASSWORD, Account, bearer, code, facts, refresh, registered

ME = "/api/v1/auth/me"


async def test_a_profile_has_exactly_the_promised_members(client: httpx.AsyncClient, makeda: Account) -> None:
    answer = await client.get(ME, headers=bearer(await makeda.sign_in()))

    profile = answer.json()
    assert profile.pop("created_at").endswith("Z")
    assert profile == {
        "id": str(makeda.user_id),
        "email": "makeda@nexus.example",
        "full_name": "Makeda Tesfaye",
        "email_verified": True,
        "roles": ["user"],
    }


async def test_a_profile_that_has_not_changed_is_not_sent_again(client: httpx.AsyncClient, makeda: Account) -> None:
    signed_in = bearer(await makeda.sign_in())
    first = await client.get(ME, headers=signed_in)

    second = await client.get(ME, headers=signed_in | {"If-None-Match": first.headers["ETag"]})

    assert (second.status_code, second.content) == (304, b"")


async def test_a_name_is_changed_by_whoever_saw_the_current_version(
    service: Service, client: httpx.AsyncClient, makeda: Account
) -> None:
    signed_in = bearer(await makeda.sign_in())
    seen = (await client.get(ME, headers=signed_in)).headers["ETag"]

    blind = await client.patch(ME, json={"full_name": "Makeda T."}, headers=signed_in)
    changed = await client.patch(ME, json={"full_name": "Makeda T."}, headers=signed_in | {"If-Match": seen})
    stale = await client.patch(ME, json={"full_name": "M. T."}, headers=signed_in | {"If-Match": seen})

    assert code(blind) == (428, "precondition_required")
    assert (changed.status_code, changed.json()["full_name"]) == (200, "Makeda T.")
    assert changed.headers["ETag"] != seen
    assert code(stale) == (412, "precondition_failed")
    assert await facts(service, UserUpdated) == [UserUpdated(user_id=makeda.user_id)]


async def test_a_change_that_changes_nothing_is_no_event(
    service: Service, client: httpx.AsyncClient, makeda: Account
) -> None:
    signed_in = bearer(await makeda.sign_in())
    seen = (await client.get(ME, headers=signed_in)).headers["ETag"]

    same = await client.patch(ME, json={"full_name": "Makeda Tesfaye"}, headers=signed_in | {"If-Match": seen})

    assert (same.status_code, same.headers["ETag"]) == (200, seen)
    assert await facts(service, UserUpdated) == []


async def test_a_strangers_request_for_a_mail_does_not_make_my_version_stale(
    client: httpx.AsyncClient, makeda: Account
) -> None:
    signed_in = bearer(await makeda.sign_in())
    seen = (await client.get(ME, headers=signed_in)).headers["ETag"]

    await client.post("/api/v1/auth/forgot-password", json={"email": makeda.email})

    changed = await client.patch(ME, json={"full_name": "Makeda T."}, headers=signed_in | {"If-Match": seen})
    assert changed.status_code == 200


async def test_neither_address_nor_roles_are_changed_by_their_owner(client: httpx.AsyncClient, makeda: Account) -> None:
    signed_in = bearer(await makeda.sign_in()) | {"If-Match": "*"}

    for body in ({"email": "other@nexus.example"}, {"full_name": "M", "roles": ["admin"]}, {"full_name": None}, {}):
        assert code(await client.patch(ME, json=body, headers=signed_in)) == (422, "validation_failed")


async def test_closing_an_account_erases_the_person_and_ends_the_sessions(
    service: Service, client: httpx.AsyncClient, makeda: Account
) -> None:
    here = await makeda.sign_in(**{"User-Agent": "Makeda's telephone"})
    elsewhere = await makeda.sign_in()
    mailed = await makeda.mailed("reset_password")

    assert (await client.delete(ME, headers=bearer(here))).status_code == 204

    assert await facts(service, UserDeleted) == [UserDeleted(user_id=makeda.user_id)]
    assert len(await facts(service, SessionRevoked)) == 2
    assert code(await refresh(client, elsewhere["refresh_token"])) == (401, "session_revoked")
    assert code(await client.get(ME, headers=bearer(here))) == (410, "account_closed")
    login = await client.post("/api/v1/auth/login", json={"email": makeda.email, "password": PASSWORD})
    assert code(login) == (401, "invalid_credentials")
    reset = await client.post("/api/v1/auth/reset-password", json={"token": mailed, "password": "yet another one"})
    assert code(reset) == (400, "invalid_token")
    recipient = await client.get(f"/internal/users/{makeda.user_id}", headers=from_service("worker", "auth"))
    assert code(recipient) == (410, "account_closed")
    async with service.database.unit_of_work() as session:
        everything = await session.execute(text("SELECT u, s, o FROM users u, sessions s, outbox o"))
        rows = everything.all()
    assert rows
    assert "akeda" not in repr(rows)


async def test_the_address_of_a_closed_account_is_free_again(
    service: Service, client: httpx.AsyncClient, makeda: Account
) -> None:
    await client.delete(ME, headers=bearer(await makeda.sign_in()))

    anew = await registered(service, client, makeda.email)

    assert anew.user_id != makeda.user_id
    await anew.sign_in()
