"""An account's life through the gateway: sessions, passwords, and how fast a revoked session is refused everywhere."""

import asyncio

from nexus_kit.tokens import REVOCATION_BOUND_SECONDS

from tests.actors import PASSWORD, Actor

NEW_PASSWORD = "an entirely different passphrase"


async def test_a_refresh_token_gives_a_new_pair_and_one_step_of_grace(guest: Actor) -> None:
    first = await guest.sign_in()

    second = await guest.post("/auth/refresh", {"refresh_token": first["refresh_token"]})
    again = await guest.post("/auth/refresh", {"refresh_token": first["refresh_token"]})

    assert second["refresh_token"] != first["refresh_token"]
    assert again["refresh_token"] == second["refresh_token"]


async def test_a_refresh_token_replayed_too_late_ends_the_session(guest: Actor) -> None:
    first = await guest.sign_in()
    second = await guest.post("/auth/refresh", {"refresh_token": first["refresh_token"]})
    third = await guest.post("/auth/refresh", {"refresh_token": second["refresh_token"]})

    replayed = await guest.call("POST", "/auth/refresh", json={"refresh_token": first["refresh_token"]})

    assert replayed.status_code == 401
    assert replayed.json()["code"] == "session_revoked"
    current = await guest.call("POST", "/auth/refresh", json={"refresh_token": third["refresh_token"]})
    assert current.status_code == 401


async def test_after_logout_every_service_refuses_the_access_token_within_the_bound(guest: Actor) -> None:
    assert (await guest.call("GET", "/bookings")).status_code == 200
    assert (await guest.call("GET", "/listings/mine")).status_code == 200

    await guest.post("/auth/logout")
    await asyncio.sleep(REVOCATION_BOUND_SECONDS)

    for path in ("/bookings", "/listings/mine", "/auth/me"):
        refused = await guest.call("GET", path)
        assert refused.status_code == 401, path
        assert "WWW-Authenticate" in refused.headers


async def test_a_forgotten_password_is_reset_by_mail_and_ends_every_session(guest: Actor) -> None:
    session = await guest.sign_in()

    await guest.post("/auth/forgot-password", {"email": guest.email})
    token = await guest.token_from_mail("assword")
    await guest.post("/auth/reset-password", {"token": token, "password": NEW_PASSWORD})

    old = await guest.call("POST", "/auth/login", json={"email": guest.email, "password": PASSWORD})
    assert (old.status_code, old.json()["code"]) == (401, "invalid_credentials")
    ended = await guest.call("POST", "/auth/refresh", json={"refresh_token": session["refresh_token"]})
    assert ended.status_code == 401
    await guest.sign_in(NEW_PASSWORD)


async def test_registering_a_taken_address_tells_its_owner_and_nobody_else(guest: Actor, anybody: Actor) -> None:
    body = {"email": guest.email, "password": NEW_PASSWORD, "full_name": "Somebody Else"}

    taken = await anybody.call("POST", "/auth/register", json=body)
    fresh = await anybody.call("POST", "/auth/register", json=body | {"email": anybody.email})

    assert (taken.status_code, taken.content) == (fresh.status_code, fresh.content)
    assert await guest.mail_about("register")
    await guest.sign_in()
