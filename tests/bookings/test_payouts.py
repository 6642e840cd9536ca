"""Payouts: a host gets what is available, once, whoever asks for it how often, and whatever the provider does."""

import asyncio
from uuid import UUID, uuid4

import pytest
from nexus_bookings.attention import service as attention
from nexus_bookings.payments.provider import Transfer, TransferStatus
from nexus_bookings.payouts import service as payouts
from nexus_bookings.payouts.models import LEGAL_MOVES, Payout, PayoutStatus
from nexus_contracts.bookings import PayoutFailed, PayoutPaid
from nexus_contracts.money import Money
from nexus_kit.errors import IllegalTransition
from nexus_kit.testing import signed_in

from tests.bookings.books import PAYOUT, balance_of, ledger_of
from tests.bookings.given import House, Json, birr, code, eventually, succeeded
from tests.bookings.paying import ACCOUNT, becomes, earning_host, needs_a_person, order, set_account, transfers

pytestmark = pytest.mark.usefixtures("balanced_books")


@pytest.fixture
async def host(house: House) -> UUID:
    """Who has earned one stay, and said where to pay them."""
    return await earning_host(house)


# ---------------------------------------------------------------------------------------------- paid


async def test_a_host_is_paid_what_is_available(house: House, host: UUID) -> None:
    answer = await order(house, host)
    payout = succeeded(answer)
    assert (answer.status_code, payout["status"]) == (201, "pending")
    assert payout["amount"] == birr(PAYOUT).model_dump()

    await becomes(house, payout, "paid")

    [transfer] = await transfers(house)
    assert (transfer["amount"], transfer["account_number"], transfer["bank_id"]) == ("9215.00", "1000123456789", 946)
    assert await balance_of(house, host) == {"paid_out": PAYOUT}
    assert "host_payable" not in await ledger_of(house)
    [fact] = await house.facts(PayoutPaid, payout["id"])
    assert (fact.sequence, fact.data.host_id, fact.data.amount) == (2, host, birr(PAYOUT))


async def test_a_payout_is_on_its_way_until_the_provider_confirms_it(house: House, host: UUID) -> None:
    await house.behave(transfer="500", verify="500")

    succeeded(await order(house, host))

    assert await balance_of(house, host) == {"on_the_way": PAYOUT}
    assert code(await order(house, host)) == (409, "nothing_to_pay_out")


async def test_ten_admins_at_once_pay_once(house: House, host: UUID) -> None:
    answers = await asyncio.gather(*(order(house, host) for _ in range(10)))

    assert sorted(answer.status_code for answer in answers) == [201] + [409] * 9
    [payout] = [answer.json() for answer in answers if answer.status_code == 201]
    await becomes(house, payout, "paid")
    assert len(await transfers(house)) == 1


async def test_fifty_retries_of_one_order_are_one_payout_and_one_answer(house: House, host: UUID) -> None:
    admin = uuid4()

    answers = await asyncio.gather(*(order(house, host, key="one wish", admin=admin) for _ in range(50)))
    later = await order(house, host, key="one wish", admin=admin)

    succeeded_at_once = [answer for answer in answers if answer.status_code == 201]
    others = [code(answer) for answer in answers if answer.status_code != 201]
    assert set(others) <= {(409, "idempotency_in_progress")}
    assert {answer.text for answer in [*succeeded_at_once, later]} == {later.text}
    assert later.headers["idempotency-replayed"] == "true"
    await becomes(house, later.json(), "paid")
    assert len(await transfers(house)) == 1


async def test_what_is_earned_later_is_paid_later(house: House) -> None:
    listing = await house.listing(units=2)
    for _ in range(2):
        booking, _ = await house.sell(listing)
        await house.finish(booking)
        await set_account(house, listing.host_id)
        payout = succeeded(await order(house, listing.host_id))
        await becomes(house, payout, "paid")

    assert await balance_of(house, listing.host_id) == {"paid_out": 2 * PAYOUT}


# ---------------------------------------------------------------------------------------------- not paid


async def test_nobody_is_paid_for_a_stay_that_is_ahead(house: House) -> None:
    booking, _ = await house.sell()
    host = UUID(booking["host_id"])
    await set_account(house, host)

    assert code(await order(house, host)) == (409, "nothing_to_pay_out")


async def test_a_host_without_an_account_is_not_paid(house: House) -> None:
    assert code(await order(house, uuid4())) == (409, "no_payout_account")


async def test_only_an_admin_orders_and_never_an_amount(house: House, host: UUID) -> None:
    headers = {**signed_in(host), "Idempotency-Key": "k"}
    by_host = await house.client.post("/api/v1/payouts", json={"host_id": str(host)}, headers=headers)

    assert code(by_host) == (403, "not_allowed")
    assert code(await order(house, host, amount={"amount": 1, "currency": "ETB"})) == (422, "validation_failed")
    assert code(await order(house, host, currency="USD")) == (409, "nothing_to_pay_out")


async def test_a_host_with_several_currencies_is_paid_in_the_one_that_is_named(house: House, host: UUID) -> None:
    dollars = {name: Money(amount=5000, currency="USD") for name in ("price", "cleaning_fee")}
    booking, _ = await house.sell(await house.listing(host_id=host, **dollars))
    await house.finish(booking)

    assert code(await order(house, host)) == (422, "currency_required")
    await becomes(house, succeeded(await order(house, host, currency="ETB")), "paid")
    refused = await becomes(house, succeeded(await order(house, host, currency="USD")), "failed")
    assert "Invalid currency" in refused["failure"]


@pytest.mark.parametrize("account", [{"account_number": "1000000000000"}, {"bank_code": 1}])
async def test_a_payout_that_fails_is_available_again(house: House, host: UUID, account: Json) -> None:
    await set_account(house, host, **account)

    payout = succeeded(await order(house, host))

    failed = await becomes(house, payout, "failed")
    assert failed["failure"]
    assert await balance_of(house, host) == {"available": PAYOUT}
    assert len(await house.facts(PayoutFailed, payout["id"])) == 1
    await set_account(house, host)
    await becomes(house, succeeded(await order(house, host)), "paid")


# ---------------------------------------------------------------------------------------------- provider in trouble


async def tried(house: House, times: int) -> None:
    async def look() -> None:
        assert await house.value("SELECT tries FROM payouts") == times

    await eventually(look)


async def test_a_transfer_that_was_done_but_not_answered_is_not_sent_again(house: House, host: UUID) -> None:
    await house.behave(transfer="timeout", webhooks="off")
    payout = succeeded(await order(house, host))
    await tried(house, 1)
    await asyncio.sleep(1.2)
    assert await house.value("SELECT status FROM payouts") == "pending"

    await house.behave(transfer="ok")
    await house.execute("UPDATE payouts SET due_at = now()")

    await becomes(house, payout, "paid")
    assert len(await transfers(house)) == 1
    assert await balance_of(house, host) == {"paid_out": PAYOUT}


@pytest.mark.parametrize("trouble", ["500", "down"])
async def test_a_transfer_that_never_reached_the_provider_is_asked_about_and_given_up(
    house: House, host: UUID, trouble: str
) -> None:
    await house.behave(transfer=trouble)
    payout = succeeded(await order(house, host))
    await tried(house, 1)
    await asyncio.sleep(2)  # the try is written before the call, which has failed by now
    await house.behave(transfer="ok")
    await house.execute("UPDATE payouts SET due_at = now()")
    await tried(house, 2)
    assert await transfers(house) == [], "it is only asked about"

    await house.execute("UPDATE payouts SET due_at = now(), sent_at = now() - interval '2 hours'")

    await becomes(house, payout, "failed")
    assert await balance_of(house, host) == {"available": PAYOUT}


async def test_one_payout_that_cannot_be_settled_does_not_stop_the_others(house: House, host: UUID) -> None:
    other, _ = await house.sell()
    await house.finish(other)
    await set_account(house, UUID(other["host_id"]))
    await house.behave(transfer="timeout", webhooks="off")
    first = succeeded(await order(house, host))
    await tried(house, 1)
    await asyncio.sleep(1.2)
    await house.behave(transfer="ok", webhooks="on")
    # As if it were recorded already, which the ledger refuses to do twice.
    await house.execute("INSERT INTO ledger_transactions (kind, source_id) SELECT 'payout_paid', id FROM payouts")
    await house.execute("UPDATE payouts SET due_at = now() - interval '1 hour'")

    second = succeeded(await order(house, UUID(other["host_id"])))

    await becomes(house, second, "paid")
    assert (await becomes(house, first, "pending"))["id"] == first["id"]


async def test_answers_that_come_at_once_settle_once_and_another_amount_settles_nothing(
    house: House, host: UUID
) -> None:
    await house.behave(transfer="500", verify="500")
    payout = succeeded(await order(house, host))

    async def settle(status: TransferStatus, amount: int) -> None:
        async with house.service.database.unit_of_work() as session:
            answer = Transfer(payout["reference"], status, birr(amount), fee=0)
            await payouts.settle(session, UUID(payout["id"]), answer)

    await settle(TransferStatus.PAID, PAYOUT - 1)
    assert await house.value("SELECT status FROM payouts") == "pending"
    [listed] = await needs_a_person(house)
    await attention.count(house.service.app.state.runtime)
    metrics = (await house.client.get("/metrics")).text
    await asyncio.gather(*(settle(TransferStatus.PAID, PAYOUT) for _ in range(8)))

    assert await balance_of(house, host) == {"paid_out": PAYOUT}
    assert len(await house.facts(PayoutPaid)) == 1
    assert (listed["concern"], listed["payout_id"]) == ("payout_mismatched", payout["id"])
    assert str(PAYOUT - 1) in listed["reason"]
    assert 'payments_attention{concern="payout_mismatched"} 1.0' in metrics
    assert await needs_a_person(house) == [], "it was put right"


async def test_a_payout_that_the_provider_speaks_of_as_ordered_again_needs_nobody(house: House, host: UUID) -> None:
    await house.behave(transfer="500", verify="500")
    payout = succeeded(await order(house, host))
    url, reader = f"/api/v1/payouts/{payout['id']}", signed_in(host)
    seen = (await house.client.get(url, headers=reader)).headers["ETag"]

    async def hear(amount: int) -> list[str]:
        async with house.service.database.unit_of_work() as session:
            answer = Transfer(payout["reference"], TransferStatus.PENDING, birr(amount), fee=0)
            await payouts.settle(session, UUID(payout["id"]), answer)
        return [each["payout_id"] for each in await needs_a_person(house)]

    odd, odd_again, as_ordered = await hear(1), await hear(1), await hear(PAYOUT)
    answer = await house.client.get(url, headers=reader | {"If-None-Match": seen})

    assert (odd, odd_again, as_ordered) == ([payout["id"]], [payout["id"]], [])
    assert (answer.status_code, answer.json()["failure"]) == (200, None)
    unchanged = await house.client.get(url, headers=reader | {"If-None-Match": answer.headers["ETag"]})
    assert unchanged.status_code == 304


# ---------------------------------------------------------------------------------------------- who sees what


async def test_a_host_sees_their_own_payouts_and_an_admin_everybodys(house: House, host: UUID) -> None:
    payout = succeeded(await order(house, host))
    admin = signed_in(roles=("user", "admin"))

    async def listed(headers: dict[str, str], **query: str) -> list[str]:
        answer = await house.client.get("/api/v1/payouts", params=query, headers=headers)
        return [each["id"] for each in succeeded(answer)["items"]]

    assert await listed(signed_in(host)) == await listed(admin, host_id=str(host)) == [payout["id"]]
    assert await listed(signed_in()) == await listed(signed_in(), host_id=str(host)) == []
    url = f"/api/v1/payouts/{payout['id']}"
    assert (await house.client.get(url, headers=admin)).status_code == 200
    assert code(await house.client.get(url, headers=signed_in())) == (404, "not_found")


async def test_a_bank_account_is_shown_masked_and_is_nowhere_else(house: House, host: UUID) -> None:
    payout = succeeded(await order(house, host))
    await becomes(house, payout, "paid")

    shown = succeeded(await house.client.get("/api/v1/payouts/account", headers=signed_in(host)))

    assert (shown["account_number"], shown["account_name"]) == ("…6789", "Hana Alemu")
    kept = await house.value(
        "SELECT (SELECT string_agg(p::text, '') FROM payouts p) || (SELECT string_agg(o::text, '') FROM outbox o)"
        " || (SELECT string_agg(k::text, '') FROM idempotency_keys k)"
    )
    assert ACCOUNT["account_number"] not in kept
    assert "Hana" not in kept


async def test_a_bank_account_that_the_provider_quotes_is_not_kept(house: House, host: UUID) -> None:
    await house.behave(transfer="refused")

    failed = await becomes(house, succeeded(await order(house, host)), "failed")

    assert failed["failure"].endswith("The account … of … cannot be credited")


async def test_a_bank_account_is_forgotten_with_its_user(house: House, host: UUID) -> None:
    await house.close_account(host)

    assert await house.value("SELECT count(*) FROM payout_accounts") == 0
    assert await balance_of(house, host) == {"available": PAYOUT}, "what they are owed stays"


@pytest.mark.parametrize(
    "odd",
    [
        {"account_number": "12 34 56 78"},
        {"account_number": "1"},
        {"account_name": ""},
        {"bank_code": "946"},
        {"bank_code": 2**40},
        {"amount": 1},
    ],
)
async def test_an_account_that_cannot_be_one_is_refused(house: House, odd: Json) -> None:
    assert code(await set_account(house, uuid4(), **odd)) == (422, "validation_failed")


async def test_the_banks_are_the_providers(house: House) -> None:
    banks = succeeded(await house.client.get("/api/v1/payouts/banks", headers=signed_in()))["items"]

    assert {"code": 946, "name": "Commercial Bank of Ethiopia (CBE)"} in banks


@pytest.mark.parametrize("origin", PayoutStatus)
@pytest.mark.parametrize("target", PayoutStatus)
def test_a_payout_moves_if_and_only_if_the_table_has_it(origin: PayoutStatus, target: PayoutStatus) -> None:
    payout = Payout(status=origin, version=1)

    if target in LEGAL_MOVES[origin]:
        payout.move(target)
        assert (payout.status, payout.version, payout.due_at) == (target, 2, None)
    else:
        with pytest.raises(IllegalTransition):
            payout.move(target)
