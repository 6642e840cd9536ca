"""The ledger as tests read it, and the audit that `balanced_books` makes after each test about money."""

from typing import Any
from uuid import UUID

from nexus_kit.testing import signed_in

from tests.bookings.given import House, Json, succeeded

TOTAL, PAYOUT, FEE, TAX = 1_187_500, 921_500, 123_500, 142_500
"""Of the usual stay: two nights and the cleaning are 950,000; fees are 10 % and 3 % of that, tax is 15 %."""
CHARGE = 41_563
"""What the simulator keeps of it: 3.5 %."""

LIES = (
    """SELECT 1 FROM ledger_entries GROUP BY transaction_id, currency HAVING sum(amount) <> 0""",
    # more was taken from a booking's share than it was given
    """SELECT 1 FROM ledger_entries
        WHERE account IN ('host_payable', 'platform_fee', 'tax') AND booking_id IS NOT NULL
        GROUP BY booking_id, account, currency HAVING sum(amount) > 0""",
    # a host was paid more than they earned
    """SELECT 1 FROM ledger_entries WHERE account = 'host_payable' GROUP BY host_id, currency HAVING sum(amount) > 0""",
    # more goes back than was charged
    """SELECT 1 FROM payments p LEFT JOIN refunds r ON r.payment_id = p.id
        GROUP BY p.id HAVING coalesce(sum(r.amount), 0) > coalesce(p.charged_amount, 0)""",
    # what the provider should hold, by the rows that orders and answers left, is not what the ledger says
    """SELECT 1 FROM (
        SELECT charged_currency AS currency, charged_amount AS amount FROM payments WHERE charged_amount > 0
        UNION ALL SELECT currency, -amount FROM refunds WHERE done_at IS NOT NULL
        UNION ALL SELECT currency, -amount FROM payouts WHERE status = 'paid'
        UNION ALL SELECT p.charged_currency, coalesce(sum(r.amount), 0) - p.refunded_amount
            FROM payments p LEFT JOIN refunds r ON r.payment_id = p.id WHERE p.charged_amount > 0 GROUP BY p.id
        UNION ALL SELECT currency, -amount FROM ledger_entries WHERE account IN ('provider', 'provider_charge')
    ) AS holding GROUP BY currency HAVING sum(amount) <> 0""",
)
"""What must never be true of the database."""


async def audit(house: House) -> None:
    """The whole database is free of lies."""
    for lie in LIES:
        assert await house.value(lie) is None, lie


async def ledger_of(house: House, booking: Json | None = None) -> dict[str, int]:
    """What each account has, of all or of one booking, without the zeros."""
    query = """SELECT jsonb_object_agg(account, amount) FROM (
        SELECT account, sum(amount) AS amount FROM ledger_entries
        WHERE CAST(:booking_id AS uuid) IS NULL OR booking_id = :booking_id GROUP BY 1 HAVING sum(amount) <> 0
    ) AS accounts"""
    found: dict[str, int] | None = await house.value(query, booking_id=booking and UUID(booking["id"]))
    return found or {}


async def balance_of(house: House, host: Any) -> dict[str, int]:
    """What GET /balance shows a host of one currency, without the zeros."""
    answer = await house.client.get("/api/v1/balance", headers=signed_in(UUID(str(host))))
    return {
        name: money["amount"]
        for item in succeeded(answer)["items"]
        for name, money in item.items()
        if name != "currency" and money["amount"]
    }
