"""Databases of users who had bookings before the ledger: the migration writes their past into it, and can be undone."""

import asyncio
import os
import sys
from pathlib import Path

from nexus_kit.testing import Servers, create_database
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from tests.bookings.books import LIES

INI = Path(__file__).parents[2] / "services/bookings/alembic.ini"
MONEY = '{{"amount": {}, "currency": "ETB"}}'
PRICE = (
    f'{{"nights": [], "accommodation": {MONEY.format(9000)}, "cleaning_fee": {MONEY.format(1000)}, '
    f'"service_fee": {MONEY.format(1000)}, "total": {MONEY.format(11000)}}}'
)
PAST = """
    INSERT INTO quotes (id, guest_id, listing_id, check_in, check_out, timezone, guests, price, cancellation)
    SELECT md5(name)::uuid, uuidv7(), uuidv7(), '2026-01-01', '2026-01-03', 'UTC', 1, CAST(:price AS jsonb),
        '{"policy": "flexible", "tiers": []}'
    FROM unnest(ARRAY['kept', 'cancelled', 'late', 'wrong', 'unpaid']) AS name;
    INSERT INTO bookings (id, version, status, quote_id, listing_id, listing_title, host_id, guest_id, check_in,
        check_out, timezone, ends_at, guests, total_amount, currency, cancellation, cancelled_by, refund_amount)
    SELECT id, 3, s.status, id, listing_id, 'Cabin', uuidv7(), guest_id, check_in,
        check_out, timezone, check_out, 1, 11000, 'ETB', cancellation, s.cancelled_by, s.refund
    FROM quotes JOIN (VALUES ('kept', 'completed', NULL, NULL), ('cancelled', 'cancelled', 'guest', 11000),
        ('late', 'expired', NULL, NULL), ('wrong', 'expired', NULL, NULL), ('unpaid', 'expired', NULL, NULL)
        ) AS s (name, status, cancelled_by, refund) ON quotes.id = md5(s.name)::uuid;
    INSERT INTO payments (id, version, booking_id, guest_id, tx_ref, amount, currency, status, checks, give_up_at)
    SELECT b.id, 2, b.id, b.guest_id, s.name, 11000, 'ETB', s.status, 0, now()
    FROM bookings b JOIN (VALUES ('kept', 'succeeded'), ('cancelled', 'refunded'), ('late', 'succeeded'),
        ('wrong', 'failed'), ('unpaid', 'failed')) AS s (name, status) ON b.id = md5(s.name)::uuid;
    INSERT INTO refunds (payment_id, reference, amount, currency, reason, tries, done_at)
    SELECT md5(s.name)::uuid, s.name || '-refund', s.amount, s.currency, s.reason, 1, s.done_at
    FROM (VALUES ('cancelled', 11000, 'ETB', 'cancelled', now()), ('late', 11000, 'ETB', 'nights_gone', NULL),
        ('wrong', 7, 'USD', 'mismatch', now())) AS s (name, amount, currency, reason, done_at);
"""


async def alembic(url: str, *command: str) -> None:
    job = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "alembic", "-c", str(INI), *command),
        env={**os.environ, "NEXUS_DATABASE_URL": url},
        stderr=asyncio.subprocess.PIPE,
    )
    _, errors = await job.communicate()
    assert job.returncode == 0, errors.decode()


async def ledger(engine: AsyncEngine) -> dict[tuple[str, str], int]:
    async with engine.connect() as connection:
        assert [lie for lie in LIES if (await connection.execute(text(lie))).first()] == []
        rows = await connection.execute(
            text("SELECT account, currency, sum(amount) FROM ledger_entries GROUP BY 1, 2 HAVING sum(amount) <> 0")
        )
        return {(account, currency): int(amount) for account, currency, amount in rows}


async def test_what_happened_before_the_ledger_is_written_into_it(servers: Servers) -> None:
    url = await create_database(servers.postgres_admin_url, "nexus_history")
    await alembic(url, "upgrade", "0001")
    engine = create_async_engine(url)
    async with engine.begin() as connection:
        for statement in PAST.strip().rstrip(";").split(";\n"):
            await connection.execute(text(statement), {"price": PRICE} if ":price" in statement else {})

    await alembic(url, "upgrade", "0003")
    written = await ledger(engine)
    await alembic(url, "downgrade", "0002")
    await alembic(url, "upgrade", "0003")

    assert written == {
        ("provider", "ETB"): 22_000,
        ("guest", "ETB"): -11_000,  # the late money is on its way back
        ("host_payable", "ETB"): -10_000,
        ("platform_fee", "ETB"): -1_000,
    }
    assert await ledger(engine) == written
    await engine.dispose()
