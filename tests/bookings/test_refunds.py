"""Money that goes back: as much as the terms say, once, however often the provider has to be asked."""

import asyncio
from typing import Any
from uuid import UUID, uuid4

import pytest
from nexus_bookings import movements
from nexus_bookings.attention import service as attention
from nexus_bookings.bookings import service as bookings
from nexus_bookings.ledger import service as ledger
from nexus_bookings.refunds import service as refunds
from nexus_contracts.bookings import PaymentRefunded
from nexus_contracts.listings import ListingSnapshot
from nexus_kit.testing import signed_in

from tests.bookings.given import House, Json, birr, code, eventually, succeeded
from tests.local.simulators import SECRET_KEY

pytestmark = pytest.mark.usefixtures("balanced_books")


@pytest.mark.parametrize("party", ["guest", "host"])
async def test_cancelling_a_paid_booking_gives_everything_back(
    house: House, listing: ListingSnapshot, booking: Json, party: str
) -> None:
    payment = await house.pay(booking)
    await house.press(payment)
    await house.becomes(booking, "confirmed")
    preview = succeeded(
        await house.client.get(
            f"/api/v1/bookings/{booking['id']}/cancellation-preview", headers=signed_in(UUID(booking[f"{party}_id"]))
        )
    )

    cancelled = succeeded(await house.act(booking, "cancel", booking[f"{party}_id"]))

    assert preview["refund"] == cancelled["refund"] == booking["total"]
    await house.payment_becomes(payment, "refunded")
    assert (await house.transaction(payment))["refunded"] == "11875.00"
    [fact] = await house.facts(PaymentRefunded, payment["id"])
    assert (fact.sequence, fact.data.amount.model_dump()) == (3, booking["total"])


async def test_after_check_in_a_guest_gets_nothing_back_and_a_host_pays_everything(house: House) -> None:
    given_back: dict[str, Any] = {}
    for party in ("guest", "host"):
        booking = await house.book(await house.listing(), uuid4())
        payment = await house.pay(booking)
        await house.press(payment)
        await house.becomes(booking, "confirmed")
        await house.execute("UPDATE bookings SET cancellation = jsonb_set(cancellation, '{tiers}', '[]')")
        given_back[party] = succeeded(await house.act(booking, "cancel", booking[f"{party}_id"]))["refund"]["amount"]

    assert given_back == {"guest": 0, "host": 1_187_500}


@pytest.mark.parametrize("trouble", ["500", "timeout", "down"])
async def test_a_refund_is_tried_until_it_is_taken_and_given_once(house: House, booking: Json, trouble: str) -> None:
    payment = await house.pay(booking)
    await house.press(payment)
    await house.becomes(booking, "confirmed")
    await house.behave(refund=trouble)
    await house.act(booking, "cancel", booking["guest_id"])

    async def tried() -> None:
        assert await house.value("SELECT tries FROM refunds") == 1

    await eventually(tried)
    await asyncio.sleep(1.5)
    assert await house.value("SELECT done_at FROM refunds") is None
    await house.behave(refund="ok")
    await house.execute("UPDATE refunds SET due_at = now()")

    await house.payment_becomes(payment, "refunded")
    assert (await house.transaction(payment))["refunded"] == "11875.00"
    assert len(await house.facts(PaymentRefunded)) == 1


# ---------------------------------------------------------------------------------------------- in parts


async def order(house: House, booking: Json, amount: int) -> None:
    """Owe the guest so much, as a change of the stay would."""
    async with house.service.database.unit_of_work() as session:
        await bookings.lock(session, UUID(booking["id"]))
        await refunds.order_for_booking(session, UUID(booking["id"]), birr(amount))


async def refunded(house: House, payment: Json, amount: str) -> None:
    async def look() -> None:
        assert (await house.transaction(payment))["refunded"] == amount
        assert await house.value("SELECT count(*) FROM refunds WHERE done_at IS NULL") == 0

    await eventually(look)


async def test_a_payment_is_refunded_in_parts_until_nothing_is_left(house: House) -> None:
    booking, payment = await house.sell()

    for amount, total in ((1, "0.01"), (99, "1.00"), (1_187_399, "11874.99")):
        await order(house, booking, amount)
        await refunded(house, payment, total)
        assert await house.value("SELECT status FROM payments") == "succeeded"
    await order(house, booking, 1)

    await house.payment_becomes(payment, "refunded")
    references = await house.value("SELECT array_agg(reference ORDER BY id) FROM refunds")
    assert references == [f"{await house.tx_ref(payment)}-refund-{number}" for number in (1, 2, 3, 4)]
    facts = await house.facts(PaymentRefunded, payment["id"])
    assert [(fact.sequence, fact.data.amount.amount) for fact in facts] == [(3, 1), (4, 99), (5, 1_187_399), (6, 1)]


async def test_parts_that_are_ordered_at_once_never_exceed_what_was_paid(house: House) -> None:
    booking, payment = await house.sell()

    results = await asyncio.gather(*(order(house, booking, 300_000) for _ in range(8)), return_exceptions=True)

    assert [type(each) for each in results if each] == [ValueError] * 5
    await refunded(house, payment, "9000.00")


async def test_a_stay_that_was_paid_in_two_parts_gives_back_the_newer_first(house: House) -> None:
    booking, first = await house.sell()
    await house.execute(  # as a dearer change of the stay would: its difference is a second payment
        """INSERT INTO payments (version, booking_id, guest_id, tx_ref, amount, currency, charged_amount,
            charged_currency, status, checks, give_up_at)
        SELECT 2, booking_id, guest_id, 'nexus-second', 100, currency, 100, currency, 'succeeded', 0, now()
        FROM payments"""
    )
    second = await house.value("SELECT id FROM payments WHERE tx_ref = 'nexus-second'")
    async with house.service.database.unit_of_work() as session:
        await ledger.record(session, movements.received(second, UUID(booking["id"]), birr(100)))

    await order(house, booking, 250)

    assert await house.value("SELECT refunded_amount FROM payments WHERE id = :id", id=second) == 100
    assert await house.value("SELECT refunded_amount FROM payments WHERE id = :id", id=UUID(first["id"])) == 150


async def test_nothing_is_given_back_of_what_was_not_paid(house: House, booking: Json) -> None:
    with pytest.raises(ValueError, match="more than was paid"):
        await order(house, booking, 1)

    assert await house.value("SELECT count(*) FROM refunds") == 0


# ---------------------------------------------------------------------------------------------- stuck


def admin() -> dict[str, str]:
    return signed_in(roles=("user", "admin"))


async def stuck_refund(house: House) -> Json:
    """The operator's list, once the provider has refused a refund to the end of our patience."""
    booking, payment = await house.sell()
    # Somebody gave half of it back on the provider's dashboard: the whole is refused from now on.
    await house.provider.post(
        f"/v1/refund/{await house.tx_ref(payment)}",
        data={"amount": "5000.00"},
        headers={"Authorization": f"Bearer {SECRET_KEY}"},
    )
    await house.act(booking, "cancel", booking["guest_id"])
    await house.execute("UPDATE refunds SET tries = 7, due_at = now()")

    async def look() -> Json:
        answer = await house.client.get("/api/v1/payments/attention", headers=admin())
        items = succeeded(answer)["items"]
        assert [item["concern"] for item in items] == ["refund_stuck"]
        found: Json = items[0]
        return found

    return await eventually(look)


async def test_a_refund_that_the_provider_refuses_for_good_waits_for_an_operator(house: House) -> None:
    stuck = await stuck_refund(house)

    assert stuck["amount"]["amount"] == 1_187_500
    assert "Refund amount cannot exceed" in stuck["reason"]
    await house.execute("UPDATE refunds SET due_at = now()")
    await asyncio.sleep(1.2)
    assert await house.value("SELECT tries FROM refunds") == 8, "it is not tried again by itself"


async def test_an_operator_has_a_stuck_refund_tried_again(house: House) -> None:
    stuck = await stuck_refund(house)
    url = f"/api/v1/payments/refunds/{stuck['refund_id']}/retry"

    operator = admin()
    keyless = await house.client.post(url, headers=operator)
    first, again, second = [
        await house.client.post(url, headers=operator | {"Idempotency-Key": key}) for key in ("k", "k", "another")
    ]

    assert code(keyless) == (400, "idempotency_key_required")
    assert succeeded(first)["id"] == stuck["refund_id"]
    assert (again.json(), again.headers["Idempotency-Replayed"]) == (first.json(), "true")
    assert code(second) == (409, "illegal_transition")

    async def tried() -> None:
        assert await house.value("SELECT tries FROM refunds") == 1

    await eventually(tried)


async def test_a_refund_that_cannot_be_asked_for_is_never_stuck(house: House) -> None:
    booking, payment = await house.sell()
    await house.behave(refund="down")
    await house.act(booking, "cancel", booking["guest_id"])
    await house.execute("UPDATE refunds SET tries = 30, due_at = now()")

    async def tried() -> None:
        assert await house.value("SELECT failure FROM refunds")
        assert await house.value("SELECT tries FROM refunds") == 31

    await eventually(tried)
    await house.behave(refund="ok")
    await house.execute("UPDATE refunds SET due_at = now()")

    await house.payment_becomes(payment, "refunded")


async def test_a_refund_that_fails_in_an_unforeseen_way_does_not_stop_the_others(house: House) -> None:
    bookings_and_payments = [await house.sell() for _ in range(2)]
    await house.behave(refund="down")
    for each, _ in bookings_and_payments:
        await house.act(each, "cancel", each["guest_id"])
    # As if the first were recorded already, which the ledger refuses to do twice.
    await house.execute(
        "INSERT INTO ledger_transactions (kind, source_id) SELECT 'refund_paid', id FROM refunds ORDER BY id LIMIT 1"
    )
    await house.behave(refund="ok")
    await house.execute("UPDATE refunds SET due_at = created_at")

    await house.payment_becomes(bookings_and_payments[1][1], "refunded")

    async def failed() -> None:
        assert "IntegrityError" in await house.value("SELECT failure FROM refunds ORDER BY id LIMIT 1")

    await eventually(failed)


async def test_only_admins_see_and_settle_what_needs_a_person(house: House) -> None:
    for method, path in (
        ("GET", "/attention"),
        ("POST", f"/refunds/{UUID(int=1)}/retry"),
        ("POST", f"/{UUID(int=1)}/acknowledge"),
    ):
        key = {"Idempotency-Key": "k"}
        answer = await house.client.request(method, f"/api/v1/payments{path}", headers=signed_in() | key)
        unknown = await house.client.request(method, f"/api/v1/payments{path}", headers=admin() | key)

        assert code(answer) == (403, "not_allowed")
        assert unknown.status_code == (200 if method == "GET" else 404)


async def test_a_payment_that_was_taken_back_is_listed_and_counted_until_it_is_acknowledged(house: House) -> None:
    _, payment = await house.sell()
    await house.provider.post(f"/simulator/transactions/{await house.tx_ref(payment)}/return/reverse")
    await house.payment_becomes(payment, "refunded")
    listed = succeeded(await house.client.get("/api/v1/payments/attention", headers=admin()))["items"]
    await attention.count(house.service.app.state.runtime)
    metrics = (await house.client.get("/metrics")).text
    answers = [await house.client.post(f"/api/v1/payments/{payment['id']}/acknowledge", headers=admin()) for _ in "12"]

    assert [(item["concern"], item["payment_id"]) for item in listed] == [("payment_taken_back", payment["id"])]
    assert 'payments_attention{concern="payment_taken_back"} 1.0' in metrics
    assert [answer.status_code for answer in answers] == [204, 409]
    assert succeeded(await house.client.get("/api/v1/payments/attention", headers=admin()))["items"] == []
