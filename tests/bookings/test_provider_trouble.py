"""What goes wrong between us and the payment provider: nothing is charged twice, nothing is forgotten."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any
from uuid import UUID, uuid4

import pytest
from fastapi import FastAPI, Response
from nexus_bookings.payments import service as payments
from nexus_bookings.payments.provider import Chapa, Charge, ChargeStatus, Payer
from nexus_bookings.settlement import service as settlement
from nexus_contracts.bookings import PaymentFailed
from nexus_contracts.money import Money
from nexus_kit.errors import UpstreamFailed, UpstreamUnavailable

from tests.bookings.given import House, Json, code
from tests.bookings.neighbours import serving
from tests.local.simulators import SECRET_KEY
from tests.servers import free_port

pytestmark = pytest.mark.usefixtures("balanced_books")


@pytest.mark.parametrize("trouble", ["500", "timeout", "down"])
async def test_a_provider_in_trouble_is_a_503_and_the_same_request_works_later(
    house: House, booking: Json, trouble: str
) -> None:
    await house.behave(initialize=trouble)
    refused = await house.act(booking, "payments", booking["guest_id"], key="k")
    await house.behave(initialize="ok")

    payment = await house.pay(booking, key="k")
    await house.press(payment)

    assert code(refused) == (503, "upstream_unavailable")
    await house.becomes(booking, "confirmed")
    assert await house.value("SELECT count(DISTINCT tx_ref) FROM payments") == 2, "a name is never used twice"


async def test_a_page_that_opened_after_all_is_settled_like_any_other(house: House, booking: Json) -> None:
    await house.behave(initialize="timeout")
    await house.act(booking, "payments", booking["guest_id"])
    await house.behave(initialize="ok")
    payment = {"id": str(await house.value("SELECT id FROM payments"))}

    await house.press(payment)

    await house.becomes(booking, "confirmed")


async def test_a_crash_between_the_two_transactions_leaves_a_payment_that_is_looked_after(
    house: House, booking: Json
) -> None:
    guest_id = UUID(booking["guest_id"])
    async with house.service.database.unit_of_work() as session:
        crashed = await payments.open_payment(session, UUID(booking["id"]), guest_id)
    await house.execute("UPDATE payments SET check_at = now()")

    await house.payment_becomes({"id": str(crashed.id)}, "failed")
    payment = await house.pay(booking)
    await house.press(payment)

    await house.becomes(booking, "confirmed")
    assert await house.facts(PaymentFailed) == [], "nobody was asked to pay, so there is nothing to tell"


async def test_a_page_that_opens_after_its_payment_was_given_up_is_not_shown(house: House, booking: Json) -> None:
    async with house.service.database.unit_of_work() as session:
        payment = await payments.open_payment(session, UUID(booking["id"]), UUID(booking["guest_id"]))
    await house.execute("UPDATE payments SET check_at = now()")
    await house.payment_becomes({"id": str(payment.id)}, "failed")

    with pytest.raises(UpstreamUnavailable):
        async with house.service.database.unit_of_work() as session:
            await payments.await_checkout(session, payment.id, "https://checkout.example/late")

    assert await house.value("SELECT checkout_url FROM payments") is None


async def test_a_key_whose_process_died_is_free_after_its_lease(house: House, booking: Json) -> None:
    payment = await house.pay(booking, key="k")
    await house.execute("UPDATE idempotency_keys SET status = NULL, headers = NULL, body = NULL WHERE key = 'k'")

    running = await house.act(booking, "payments", booking["guest_id"], key="k")
    await house.execute("UPDATE idempotency_keys SET created_at = now() - interval '1 minute' WHERE key = 'k'")
    again = await house.pay(booking, key="k")

    assert code(running) == (409, "idempotency_in_progress")
    assert again == payment


async def test_without_auth_nobody_pays_and_the_same_request_works_later(house: House, booking: Json) -> None:
    house.neighbours.are_down = True
    refused = await house.act(booking, "payments", booking["guest_id"], key="k")
    house.neighbours.are_down = False

    assert code(refused) == (503, "upstream_unavailable")
    assert (await house.act(booking, "payments", booking["guest_id"], key="k")).status_code == 201


@pytest.mark.parametrize("trouble", ["500", "down", "not_paid"])
async def test_a_provider_that_cannot_be_asked_is_asked_again(house: House, booking: Json, trouble: str) -> None:
    payment = await house.pay(booking)
    await house.behave(verify=trouble, webhooks="off")
    await house.execute("UPDATE payments SET check_at = now()")
    await asyncio.sleep(1.5)
    assert await house.value("SELECT status FROM payments") == "pending"

    await house.behave(verify="ok", webhooks="on")
    await house.press(payment)

    await house.becomes(booking, "confirmed")


async def test_money_of_another_mode_confirms_nothing_and_goes_back(house: House, booking: Json) -> None:
    payment = await house.pay(booking)
    await house.behave(mode_override="live")

    await house.press(payment)

    await house.payment_becomes(payment, "refunded")
    assert (await house.read(booking))["status"] == "pending_payment"
    assert "in the wrong mode" in await house.value("SELECT failure FROM payments")
    assert await house.value("SELECT reason FROM refunds") == "mismatch"


# ---------------------------------------------------------------------------------------------- nonsense

PAID = {
    "tx_ref": "t",
    "status": "success",
    "amount": 400.5,
    "charge": 14.02,
    "currency": "ETB",
    "mode": "test",
    "reference": "AP1",
}


@asynccontextmanager
async def provider_that_answers(answer: Any) -> AsyncIterator[Chapa]:
    """Chapa, if it said this to everything."""
    app = FastAPI(openapi_url=None)
    app.add_api_route("/{path:path}", lambda: Response(json.dumps(answer)), methods=["GET", "POST"])
    async with serving(app, free_port()) as url, Chapa(url, "secret", mode="test", timeout=1) as chapa:
        yield chapa


async def test_amounts_are_read_exactly() -> None:
    async with provider_that_answers({"status": "success", "data": PAID}) as chapa:
        charge = await chapa.verify("t")

    assert charge == Charge(
        "t", ChargeStatus.SUCCEEDED, Money(amount=40_050, currency="ETB"), "AP1", fee=1_402, in_our_mode=True
    )


@pytest.mark.parametrize(
    "answer",
    [
        [],
        "success",
        {"status": "success"},
        {"status": "success", "data": None},
        {"status": "success", "data": []},
        *(
            {"status": "success", "data": PAID | {"amount": odd}}
            for odd in ("Infinity", float("inf"), "x", 1.005, None)
        ),
        {"status": "success", "data": PAID | {"currency": "birr"}},
        {"status": "success", "data": PAID | {"status": {}}},
    ],
)
async def test_an_answer_that_cannot_be_read_is_the_providers_failure(answer: Any) -> None:
    async with provider_that_answers(answer) as chapa:
        with pytest.raises(UpstreamFailed):
            await chapa.verify("t")
        with pytest.raises(UpstreamFailed):
            await chapa.open_checkout(
                "t", Money(amount=1, currency="ETB"), Payer("a@b.example", "A", "B"), purpose="p", return_url="r"
            )


async def test_a_payment_that_cannot_be_settled_does_not_end_the_round_of_the_others(
    house: House, booking: Json
) -> None:
    payment = await house.pay(booking)
    await house.behave(webhooks="off")
    await house.press(payment)
    database, provider = house.service.database, Chapa(str(house.provider.base_url), SECRET_KEY, mode="test", timeout=1)

    async with provider:
        unknown, known = uuid4(), UUID(payment["id"])
        tx_ref = await house.tx_ref(payment)
        await asyncio.gather(
            *(settlement.ask_and_settle(database, provider, each, tx_ref) for each in (unknown, known))
        )

    assert (await house.read(booking))["status"] == "confirmed"
