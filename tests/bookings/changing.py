"""How tests of changes get to a change, see what became of it, and know that no night was lost on the way."""

from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import httpx
from nexus_kit.testing import signed_in

from tests.bookings.given import ARRIVAL, House, Json, eventually, nights_from, succeeded

NIGHT = 562_500
"""One more or less: 4,500 birr with fee and tax."""
STRAY_OR_LOST = """
    WITH due AS (
        SELECT b.id, b.check_in + n AS night FROM bookings b, generate_series(0, b.check_out - b.check_in - 1) AS n
         WHERE b.status IN ('requested', 'pending_payment', 'confirmed')
         UNION
        SELECT c.booking_id, q.check_in + n FROM booking_changes c JOIN quotes q ON q.id = c.quote_id,
               generate_series(0, q.check_out - q.check_in - 1) AS n
         WHERE c.status IN ('requested', 'pending_payment')
    ), held AS (SELECT booking_id, night FROM nights WHERE booking_id IS NOT NULL)
    SELECT count(*) FROM ((TABLE due EXCEPT ALL TABLE held) UNION ALL (TABLE held EXCEPT ALL TABLE due)) AS wrong
"""


async def wish(house: House, booking: Json, days: int = 0, nights: int = 2, guests: int = 2) -> Json:
    """A quote for the same booking, so many days later."""
    dates = nights_from(ARRIVAL + timedelta(days=days), nights)
    guest = UUID(booking["guest_id"])
    asked = await house.ask_quote(booking["listing_id"], guest, **dates, guests=guests, booking_id=booking["id"])
    return succeeded(asked)


async def ask(house: House, booking: Json, quote: Json, key: str | None = None) -> httpx.Response:
    headers = {**signed_in(UUID(booking["guest_id"])), "Idempotency-Key": key or str(uuid4())}
    url = f"/api/v1/bookings/{booking['id']}/changes"
    return await house.client.post(url, json={"quote_id": quote["id"]}, headers=headers)


async def change(house: House, booking: Json, **to: Any) -> Json:
    return succeeded(await ask(house, booking, await wish(house, booking, **to)))


async def answer(house: House, change: Json, verb: str, user: Any) -> httpx.Response:
    url = f"/api/v1/bookings/{change['booking_id']}/changes/{change['id']}/{verb}"
    return await house.client.post(url, headers=signed_in(UUID(str(user))))


async def read(house: House, booking: Json) -> list[Json]:
    url = f"/api/v1/bookings/{booking['id']}/changes"
    found = await house.client.get(url, headers=signed_in(UUID(booking["host_id"])))
    items: list[Json] = succeeded(found)["items"]
    return items


async def becomes(house: House, booking: Json, status: str) -> Json:
    async def look() -> Json:
        newest = (await read(house, booking))[0]
        assert newest["status"] == status
        return newest

    return await eventually(look)


async def overdue(house: House) -> None:
    await house.execute(
        "UPDATE booking_changes SET expires_at = now() - interval '1 second' WHERE expires_at IS NOT NULL"
    )


async def went_back(house: House, amount: int) -> None:
    async def look() -> None:
        assert await house.value("SELECT coalesce(sum(amount), 0) FROM refunds WHERE done_at IS NOT NULL") == amount
        assert await house.value("SELECT count(*) FROM refunds WHERE done_at IS NULL") == 0

    await eventually(look)


async def no_night_is_lost(house: House) -> None:
    """The rows of nights are what live bookings and open changes say: none is missing, none is left over."""
    assert await house.value(STRAY_OR_LOST) == 0
