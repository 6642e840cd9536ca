"""How tests of bookings get a host paid: the bank account, the order of an admin, what became of it."""

from typing import Any
from uuid import UUID, uuid4

import httpx
from nexus_kit.testing import signed_in

from tests.bookings.given import House, Json, eventually, succeeded

ACCOUNT = {"account_name": "Hana Alemu", "account_number": "1000123456789", "bank_code": 946}


async def earning_host(house: House) -> UUID:
    """Who has earned one stay, and said where to pay them."""
    booking, _ = await house.sell()
    await house.finish(booking)
    host = UUID(booking["host_id"])
    await set_account(house, host)
    return host


async def set_account(house: House, host: UUID, **changes: Any) -> httpx.Response:
    """PUT /payouts/account, by the host."""
    return await house.client.put("/api/v1/payouts/account", json=ACCOUNT | changes, headers=signed_in(host))


async def order(
    house: House, host: UUID, key: str | None = None, admin: UUID | None = None, **more: Any
) -> httpx.Response:
    """POST /payouts, by an admin."""
    headers = {**signed_in(admin, roles=("user", "admin")), "Idempotency-Key": key or str(uuid4())}
    return await house.client.post("/api/v1/payouts", json={"host_id": str(host), **more}, headers=headers)


async def becomes(house: House, payout: Json, status: str) -> Json:
    """The payout as its host sees it, once it has this status."""

    async def look() -> Json:
        answer = await house.client.get(f"/api/v1/payouts/{payout['id']}", headers=signed_in(UUID(payout["host_id"])))
        found = succeeded(answer)
        assert found["status"] == status
        return found

    return await eventually(look)


async def needs_a_person(house: House) -> list[Json]:
    """The operator's list."""
    answer = await house.client.get("/api/v1/payments/attention", headers=signed_in(roles=("user", "admin")))
    items: list[Json] = succeeded(answer)["items"]
    return items


async def transfers(house: House) -> list[Json]:
    """What the provider sent, of the references that we know."""
    ours = set((await house.value("SELECT array_agg(reference) FROM payouts")) or [])
    return [each for each in (await house.provider.get("/simulator/transfers")).json() if each["reference"] in ours]
