"""How tests of auth get somebody to act for: by the same calls as a client and the worker make."""

from dataclasses import dataclass
from typing import Any
from uuid import UUID

import httpx
from nexus_contracts.envelope import Event
from nexus_kit.testing import Service, from_service
from sqlalchemy import text

PASSWORD = "a walk by Lake Tana"
NEW_PASSWORD = "a walk by Lake Abaya"


@dataclass
class Account:
    """One account, and what its owner does."""

    service: Service
    client: httpx.AsyncClient
    user_id: UUID
    email: str
    password: str = PASSWORD

    async def sign_in(self, **headers: str) -> dict[str, Any]:
        """A new session's pair of tokens."""
        credentials = {"email": self.email, "password": self.password}
        answer = await self.client.post("/api/v1/auth/login", json=credentials, headers=headers)
        assert answer.status_code == 200, answer.text
        pair: dict[str, Any] = answer.json()
        return pair

    async def mailed(self, purpose: str) -> str:
        """The token in a mail, as the worker has it minted."""
        answer = await self.client.post(
            f"/internal/users/{self.user_id}/tokens", json={"purpose": purpose}, headers=from_service("worker", "auth")
        )
        assert answer.status_code == 201, answer.text
        token: str = answer.json()["token"]
        return token

    async def verify(self) -> None:
        """Follow the link of the first mail."""
        token = await self.mailed("verify_email")
        answer = await self.client.post("/api/v1/auth/verify-email", json={"token": token})
        assert answer.status_code == 204, answer.text


async def registered(service: Service, client: httpx.AsyncClient, email: str) -> Account:
    """An account whose address is not proved yet."""
    answer = await register(client, email)
    assert answer.status_code == 202, answer.text
    async with service.database.unit_of_work() as session:
        user_id = (
            await session.execute(text("SELECT id FROM users WHERE email = :email"), {"email": email})
        ).scalar_one()
    return Account(service, client, user_id, email)


async def register(client: httpx.AsyncClient, email: str, **other: Any) -> httpx.Response:
    """One registration, whatever comes of it."""
    body = {"email": email, "password": PASSWORD, "full_name": "Makeda Tesfaye", **other}
    return await client.post("/api/v1/auth/register", json=body)


async def refresh(client: httpx.AsyncClient, token: str) -> httpx.Response:
    """One refresh, whatever comes of it."""
    return await client.post("/api/v1/auth/refresh", json={"refresh_token": token})


def bearer(pair: dict[str, Any]) -> dict[str, str]:
    """The header of whoever holds this pair."""
    return {"Authorization": f"Bearer {pair['access_token']}"}


def code(answer: httpx.Response) -> tuple[int, str]:
    """What programs decide by."""
    assert answer.headers["content-type"] == "application/problem+json", answer.text
    return answer.status_code, answer.json()["code"]


async def facts(service: Service, kind: type[Event]) -> list[Any]:
    """The emitted facts of this kind, the oldest first."""
    return [event.data for event in await service.published() if event.type == kind.TYPE]


async def make_time_pass(service: Service, table: str, interval: str) -> None:
    """What was to happen, or happened, lies `interval` further back."""
    columns = {
        "sessions": ("created_at", "last_used_at", "expires_at"),
        "one_time_tokens": ("created_at", "expires_at"),
    }
    moved = ", ".join(f"{column} = {column} - interval '{interval}'" for column in columns[table])
    async with service.database.unit_of_work() as session:
        await session.execute(text(f"UPDATE {table} SET {moved}"))  # noqa: S608 - our own words
