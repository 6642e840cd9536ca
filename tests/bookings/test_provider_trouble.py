"""What goes wrong between us and the payment provider: nothing is charged twice, nothing is forgotten."""

import asyncio
from uuid import UUID

import pytest
from nexus_bookings.payments import service as payments
from nexus_contracts.bookings import PaymentFailed

from tests.bookings.given import House, Json, code


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
