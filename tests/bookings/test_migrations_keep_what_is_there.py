"""A database that served the first release goes up to this one and down again with its bookings."""

import asyncio
import os
import sys
from collections.abc import AsyncIterator
from datetime import time
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest
from nexus_bookings import main
from nexus_bookings.bookings.models import Booking
from nexus_bookings.pricing import Price
from nexus_bookings.quotes.models import Quote
from nexus_kit.db import Database
from nexus_kit.testing import Servers, create_database
from sqlalchemy import text

ALEMBIC = Path(main.__file__).parents[1] / "alembic.ini"
BOOKED = UUID(int=1)
NAMES = {"booked": BOOKED, "listing": UUID(int=2)}

FIRST_RELEASE = """
    INSERT INTO quotes (id, guest_id, listing_id, check_in, check_out, timezone, guests, price, cancellation)
    VALUES (:booked, uuidv7(), :listing, '2026-12-24', '2026-12-26', 'Africa/Addis_Ababa', 2,
        '{"nights": [{"night": "2026-12-24", "price": {"amount": 450000, "currency": "ETB"}},
                     {"night": "2026-12-25", "price": {"amount": 450000, "currency": "ETB"}}],
          "accommodation": {"amount": 900000, "currency": "ETB"},
          "cleaning_fee": {"amount": 50000, "currency": "ETB"},
          "service_fee": {"amount": 95000, "currency": "ETB"},
          "total": {"amount": 1045000, "currency": "ETB"}}',
        '{"policy": "strict", "tiers": [{"until": "2026-12-24T12:00:00Z", "refund_percent": 100}]}');
    INSERT INTO bookings (id, version, status, quote_id, listing_id, listing_title, host_id, guest_id, check_in,
        check_out, timezone, ends_at, guests, total_amount, currency, cancellation)
    SELECT id, 3, 'confirmed', id, listing_id, 'Lakeside cabin', uuidv7(), guest_id, check_in, check_out, timezone,
        '2026-12-26T08:00:00Z', guests, 1045000, 'ETB', cancellation FROM quotes;
    INSERT INTO nights (listing_id, night, unit, booking_id)
    SELECT listing_id, check_in, 1, id FROM bookings;
    INSERT INTO payments (version, booking_id, guest_id, tx_ref, amount, currency, status, checks, give_up_at)
    SELECT 2, id, guest_id, paid, 1045000, 'ETB', paid, 0, now()
    FROM bookings, unnest(array['succeeded', 'failed']) AS paid
"""


MONEY_ON_ITS_WAY = """
    INSERT INTO refunds (payment_id, reference, amount, currency, reason, tries, done_at, stuck_at)
    SELECT payments.id, name, 1, 'ETB', 'cancelled', 1, CASE name WHEN 'done' THEN now() END,
        CASE name WHEN 'stuck' THEN now() END
    FROM payments, unnest(array['done', 'open', 'stuck']) AS name WHERE tx_ref = 'succeeded';
    INSERT INTO payouts (version, host_id, ordered_by, reference, amount, currency, status, tries, due_at)
    SELECT 1, uuidv7(), uuidv7(), name, 1, 'ETB', CASE name WHEN 'older' THEN 'paid' ELSE name END, 1,
        CASE name WHEN 'pending' THEN now() END
    FROM unnest(array['failed', 'older', 'paid', 'pending']) AS name;
    INSERT INTO ledger_transactions (kind, source_id, at)
    SELECT 'payout_paid', id, now() - CASE reference WHEN 'older' THEN interval '20 days' ELSE interval '2 days' END
    FROM payouts WHERE status = 'paid';
    INSERT INTO quotes (guest_id, listing_id, check_in, check_out, timezone, check_in_time, check_out_time, guests,
        price, cancellation, valid_until)
    SELECT guest_id, listing_id, check_in, check_out, timezone, check_in_time, check_out_time, guests, price,
        cancellation, now() - interval '2 days' FROM quotes
"""


CLOSED = "INSERT INTO nights (listing_id, night, unit, closed_by) VALUES (:listing, '2026-12-24', 2, 'host')"


class Release:
    """A database, and the release that it is at."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.database = Database(url, pool_size=1)

    async def migrate(self, direction: str, revision: str) -> None:
        job = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "alembic", "-c", str(ALEMBIC), direction, revision),
            env={**os.environ, "NEXUS_DATABASE_URL": self.url},
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        output, _ = await job.communicate()
        assert job.returncode == 0, output.decode()

    async def execute(self, statements: str) -> list[Any]:
        """One after the other; the first column of the last, if it has any."""
        async with self.database.unit_of_work() as session:
            for statement in statements.split(";\n"):
                names = {name: value for name, value in NAMES.items() if f":{name}" in statement}
                result = await (await session.connection()).execute(text(statement), names)
            return list(result.scalars()) if result.returns_rows else []

    async def promised(self) -> tuple[Quote, Booking]:
        async with self.database.unit_of_work() as session:
            return await session.get_one(Quote, BOOKED), await session.get_one(Booking, BOOKED)


@pytest.fixture
async def release(servers: Servers) -> AsyncIterator[Release]:
    """The first, with a booking."""
    release = Release(await create_database(servers.postgres_admin_url, f"nexus_bookings_before_{uuid4().hex}"))
    await release.migrate("upgrade", "0001")
    await release.execute(FIRST_RELEASE)
    yield release
    await release.database.engine.dispose()


def lines(price: Price) -> dict[str, int]:
    return {name: line["amount"] for name, line in price.model_dump(exclude={"nights"}, exclude_none=True).items()}


async def test_prices_are_kept_to_the_cent_up_and_down_and_up_again(release: Release) -> None:
    await release.migrate("upgrade", "head")
    quote, booking = await release.promised()
    await release.execute(CLOSED)
    await release.migrate("downgrade", "0001")
    holders = await release.execute("SELECT booking_id FROM nights")
    await release.migrate("upgrade", "head")

    assert lines(booking.price) == {
        "accommodation": 900_000,
        "length_discount": 0,
        "extra_guests": 0,
        "cleaning_fee": 50_000,
        "service_fee": 95_000,
        "tax": 0,
        "total": 1_045_000,
        "host_fee": 0,
        "host_payout": 950_000,
    }
    assert (booking.check_in_time, booking.check_out_time) == (time(15), time(11))
    assert booking.stay.ends_at == booking.ends_at
    assert holders == [BOOKED], "what was closed is open"
    assert (await release.promised())[1].price == booking.price == quote.price


async def test_refunds_and_payouts_stand_where_they_stood_and_are_followed_from_there(release: Release) -> None:
    await release.migrate("upgrade", "0005")
    await release.execute(MONEY_ON_ITS_WAY)

    await release.migrate("upgrade", "head")
    refunds = await release.execute("SELECT reference || ' ' || status FROM refunds ORDER BY reference")
    watched = await release.execute("SELECT reference FROM payouts WHERE due_at IS NOT NULL ORDER BY reference")
    quotes = await release.execute("SELECT id FROM quotes")
    await release.execute("UPDATE refunds SET status = 'accepted' WHERE reference = 'open'")
    await release.migrate("downgrade", "0005")

    assert refunds == ["done done", "open ordered", "stuck stuck"]
    assert watched == ["paid", "pending"], "what arrived long ago is not asked about any more"
    assert quotes == [BOOKED], "what nobody booked is forgotten"
    assert await release.execute(
        "SELECT reference FROM refunds WHERE done_at IS NULL AND stuck_at IS NULL AND due_at <= now()"
    ) == ["open"]
    assert await release.execute("SELECT reference FROM payouts WHERE due_at IS NOT NULL") == ["pending"]


async def test_what_was_paid_before_is_looked_at_within_a_day(release: Release) -> None:
    """Otherwise a payment that the provider takes back would be noticed by its webhook alone."""
    checked = "SELECT status FROM payments WHERE check_at BETWEEN now() AND now() + interval '1 day'"

    await release.migrate("upgrade", "head")
    after = await release.execute(checked)
    await release.migrate("downgrade", "0001")

    assert after == ["succeeded"]
    assert await release.execute(checked) == []
