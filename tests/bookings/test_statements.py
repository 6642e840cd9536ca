"""Statements: a month of a host's money as CSV that a bank clerk's spreadsheet reads and that runs nothing."""

import csv
import io
from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

import httpx
import pytest
from nexus_kit.testing import signed_in

from tests.bookings.books import PAYOUT
from tests.bookings.given import House, code, succeeded

pytestmark = pytest.mark.usefixtures("balanced_books")

THIS_MONTH = datetime.now(UTC).strftime("%Y-%m")
NEXT_MONTH = (datetime.now(UTC).replace(day=1) + timedelta(days=40)).strftime("%Y-%m")


async def download(house: House, host: str, month: str = THIS_MONTH) -> httpx.Response:
    return await house.client.get(f"/api/v1/statements/{month}.csv", headers=signed_in(UUID(host)))


def lines(answer: httpx.Response) -> list[dict[str, str]]:
    assert answer.status_code == 200, answer.text
    return list(csv.DictReader(io.StringIO(answer.text, newline="")))


async def test_a_statement_leads_from_the_opening_to_the_closing_balance(house: House) -> None:
    listing = await house.listing(units=2, title='Cabin "Lake", 2nd floor')
    stays = [(await house.sell(listing))[0] for _ in range(2)]
    await house.act(stays[1], "cancel", stays[1]["guest_id"])
    await house.finish(stays[0])
    await house.client.put(
        "/api/v1/payouts/account",
        json={"account_name": "Hana Alemu", "account_number": "1000123456789", "bank_code": 946},
        headers=signed_in(listing.host_id),
    )
    headers = {**signed_in(roles=("user", "admin")), "Idempotency-Key": "k"}
    ordered = await house.client.post("/api/v1/payouts", json={"host_id": str(listing.host_id)}, headers=headers)

    answer = await download(house, str(listing.host_id))

    assert answer.headers["content-type"] == "text/csv; charset=utf-8"
    assert answer.headers["content-disposition"] == f'attachment; filename="nexus-statement-{THIS_MONTH}.csv"'
    assert answer.text.endswith("\r\n")
    found = lines(answer)
    assert [(line["movement"], line["amount"], line["balance"]) for line in found] == [
        ("opening_balance", "", "0.00"),
        ("earned", "9215.00", "9215.00"),
        ("earned", "9215.00", "18430.00"),
        ("released", "-9215.00", "9215.00"),
        ("payout_ordered", "-9215.00", "0.00"),
        ("closing_balance", "", "0.00"),
    ]
    assert [line["booking_id"] for line in found[1:4]] == [stays[0]["id"], stays[1]["id"], stays[1]["id"]]
    assert found[1]["listing"] == 'Cabin "Lake", 2nd floor'
    assert found[4]["payout_id"] == succeeded(ordered)["id"]
    assert {line["currency"] for line in found} == {"ETB"}


async def test_what_happened_before_is_in_the_opening_balance_and_what_comes_later_in_none(house: House) -> None:
    booking, _ = await house.sell()

    later = lines(await download(house, booking["host_id"], NEXT_MONTH))
    earlier = lines(await download(house, booking["host_id"], "2020-01"))

    assert [(line["movement"], line["balance"]) for line in later] == [
        ("opening_balance", "9215.00"),
        ("closing_balance", "9215.00"),
    ]
    assert [line["balance"] for line in earlier] == ["0.00", "0.00"]
    assert later[1]["time"] > later[0]["time"] == f"{NEXT_MONTH}-01T00:00:00Z"


@pytest.mark.parametrize("title", ["=HYPERLINK(0)", "+1", "-1", "@SUM(1)", " =1+1", "\t=1"])
async def test_a_title_is_never_a_formula(house: House, title: str) -> None:
    booking, _ = await house.sell(await house.listing(title=title))

    [_, earned, _] = lines(await download(house, booking["host_id"]))

    assert earned["listing"] == f"'{title}"
    assert earned["amount"] == "9215.00"


async def test_a_statement_is_the_hosts_alone(house: House) -> None:
    await house.sell()

    assert lines(await download(house, str(uuid4()))) == []


async def test_a_long_statement_is_read_page_by_page_and_loses_no_line(house: House) -> None:
    booking, _ = await house.sell()
    await house.execute(
        """WITH t AS (
            INSERT INTO ledger_transactions (kind, source_id)
            SELECT 'earned', uuidv7() FROM generate_series(1, 1000) RETURNING id
        )
        INSERT INTO ledger_entries (transaction_id, account, host_id, booking_id, amount, currency)
        SELECT t.id, e.account, e.host_id, :booking, e.amount, 'ETB'
        FROM t, (VALUES ('host_payable', CAST(:host AS uuid), -100), ('guest', NULL, 100)
        ) AS e (account, host_id, amount)""",
        booking=UUID(booking["id"]),
        host=UUID(booking["host_id"]),
    )

    found = lines(await download(house, booking["host_id"]))

    assert len(found) == 1 + 1001 + 1
    assert found[-1]["balance"] == f"{PAYOUT / 100 + 1000:.2f}"


@pytest.mark.parametrize("month", ["2026-13", "2026-00", "26-01", "2026-1", "0000-01", "2026-01-01"])
async def test_a_month_that_is_none_is_refused(house: House, month: str) -> None:
    assert code(await download(house, str(uuid4()), month)) == (422, "validation_failed")


async def test_a_statement_needs_somebody_who_is_signed_in(house: House) -> None:
    answer = await house.client.get(f"/api/v1/statements/{THIS_MONTH}.csv")

    assert code(answer) == (401, "not_authenticated")
