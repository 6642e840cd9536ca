"""Payouts that had arrived and did not stay: noticed, owed to the host again, told to them, shown to an operator."""

import asyncio
from typing import Any
from uuid import UUID

import pytest
from nexus_bookings.attention import service as attention
from nexus_bookings.payments.provider import Transfer, TransferStatus
from nexus_bookings.payouts import service as payouts
from nexus_contracts.bookings import PayoutFailed, PayoutPaid
from nexus_kit.testing import signed_in

from tests.bookings.books import PAYOUT, balance_of, ledger_of
from tests.bookings.given import House, Json, birr, code, eventually, succeeded
from tests.bookings.paying import becomes, earning_host, needs_a_person, order, transfers

pytestmark = pytest.mark.usefixtures("balanced_books")


@pytest.fixture
async def paid(house: House) -> Json:
    """A payout that has arrived."""
    payout = succeeded(await order(house, await earning_host(house)))
    return await becomes(house, payout, "paid")


async def reverse(house: House, payout: Json) -> None:
    answer = await house.provider.post(f"/simulator/transfers/{payout['reference']}/reverse")
    assert answer.status_code == 204, answer.text


async def settle(house: House, payout: Json, transfer: Transfer | None) -> None:
    """As if the provider had been asked, and said so."""
    async with house.service.database.unit_of_work() as session:
        await payouts.settle(session, UUID(payout["id"]), transfer)


def answer_about(payout: Json, status: TransferStatus, amount: int = PAYOUT) -> Transfer:
    return Transfer(payout["reference"], status, birr(amount), fee=0)


async def test_a_payout_that_comes_back_is_owed_to_the_host_again_who_is_told(house: House, paid: Json) -> None:
    host = UUID(paid["host_id"])
    before = await ledger_of(house)

    await reverse(house, paid)
    failed = await becomes(house, paid, "failed")

    assert "came back" in failed["failure"]
    assert await balance_of(house, host) == {"available": PAYOUT}
    now = await ledger_of(house)
    assert (now["host_payable"], now["provider"]) == (-PAYOUT, before["provider"] + PAYOUT)
    assert now.keys() - before.keys() == {"host_payable"}, "the provider keeps its fee, and nothing else has moved"
    [told] = await house.facts(PayoutFailed, paid["id"])
    assert (told.sequence, told.data.came_back, told.data.amount) == (3, True, birr(PAYOUT))


async def test_it_can_be_paid_again_and_the_statement_says_all_of_it(house: House, paid: Json) -> None:
    host = UUID(paid["host_id"])
    await reverse(house, paid)
    await becomes(house, paid, "failed")

    again = await becomes(house, succeeded(await order(house, host)), "paid")

    month = again["created_at"][:7]
    statement = await house.client.get(f"/api/v1/statements/{month}.csv", headers=signed_in(host))
    lines = [line.split(",") for line in statement.text.splitlines()[2:-1]]
    assert [(line[1], line[6], line[7]) for line in lines] == [
        ("earned", "9215.00", "9215.00"),
        ("payout_ordered", "-9215.00", "0.00"),
        ("payout_failed", "9215.00", "9215.00"),
        ("payout_ordered", "-9215.00", "0.00"),
    ]
    assert await balance_of(house, host) == {"paid_out": PAYOUT}
    assert len(await transfers(house)) == 2


async def test_without_a_webhook_it_is_noticed_within_a_day(house: House, paid: Json) -> None:
    within_a_day = "SELECT due_at BETWEEN now() + interval '23 hours' AND now() + interval '1 day' FROM payouts"
    await eventually(lambda: is_true(house, within_a_day))
    await house.behave(webhooks="off")
    await reverse(house, paid)

    await house.execute("UPDATE payouts SET due_at = now()")

    await becomes(house, paid, "failed")


async def test_a_payout_that_stays_is_looked_at_for_two_weeks(house: House, paid: Json) -> None:
    await house.behave(webhooks="off")
    await house.execute("UPDATE payouts SET due_at = now(), paid_at = now() - interval '15 days'")

    await eventually(lambda: is_true(house, "SELECT due_at IS NULL FROM payouts"))
    assert await balance_of(house, paid["host_id"]) == {"paid_out": PAYOUT}


async def test_later_it_is_noticed_by_the_webhook(house: House, paid: Json) -> None:
    await house.execute("UPDATE payouts SET due_at = NULL, paid_at = now() - interval '90 days'")

    await reverse(house, paid)

    await becomes(house, paid, "failed")


async def is_true(house: House, query: str) -> None:
    assert await house.value(query)


async def test_an_operator_sees_it_until_it_is_acknowledged(house: House, paid: Json) -> None:
    await reverse(house, paid)
    await becomes(house, paid, "failed")

    [listed] = await needs_a_person(house)
    await attention.count(house.service.app.state.runtime)
    metrics = (await house.client.get("/metrics")).text
    url, admin = f"/api/v1/payments/payouts/{paid['id']}/acknowledge", signed_in(roles=("user", "admin"))
    by_host = await house.client.post(url, headers=signed_in(UUID(paid["host_id"])))
    answers = [await house.client.post(url, headers=admin) for _ in "12"]
    unknown = await house.client.post(url.replace(paid["id"], str(UUID(int=1))), headers=admin)

    assert (listed["concern"], listed["payout_id"]) == ("payout_came_back", paid["id"])
    assert listed["amount"] == paid["amount"]
    assert 'payments_attention{concern="payout_came_back"} 1.0' in metrics
    assert code(by_host) == (403, "not_allowed")
    assert [answer.status_code for answer in (*answers, unknown)] == [204, 409, 404]
    assert await needs_a_person(house) == []


async def test_answers_that_come_at_once_take_it_back_once(house: House, paid: Json) -> None:
    came_back = answer_about(paid, TransferStatus.FAILED)

    await asyncio.gather(*(settle(house, paid, came_back) for _ in range(8)))
    await settle(house, paid, answer_about(paid, TransferStatus.PAID))

    assert await balance_of(house, paid["host_id"]) == {"available": PAYOUT}
    assert (len(await house.facts(PayoutPaid)), len(await house.facts(PayoutFailed))) == (1, 1)


@pytest.mark.parametrize("odd", ["another amount", "never heard of it"])
async def test_an_odd_answer_about_a_payout_that_arrived_moves_nothing_and_is_shown(
    house: House, paid: Json, odd: str
) -> None:
    nonsense: dict[str, Any] = {
        "another amount": answer_about(paid, TransferStatus.FAILED, PAYOUT - 1),
        "never heard of it": None,
    }

    await house.execute("UPDATE payouts SET paid_at = now() - interval '90 days'")
    await settle(house, paid, nonsense[odd])
    asked_again = await house.value("SELECT due_at IS NOT NULL FROM payouts")
    shown = [(each["concern"], each["payout_id"]) for each in await needs_a_person(house)]
    await settle(house, paid, answer_about(paid, TransferStatus.PAID))

    assert asked_again, "however old it is"
    assert shown == [("payout_mismatched", paid["id"])]
    assert await needs_a_person(house) == [], "it was put right"
    assert await balance_of(house, paid["host_id"]) == {"paid_out": PAYOUT}
