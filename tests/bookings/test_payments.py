"""Payments: the booking is confirmed when the provider says that it has the money, and by nothing else."""

import asyncio
from uuid import UUID, uuid4

import pytest
from nexus_bookings.bookings import service as bookings
from nexus_bookings.payments.models import LEGAL_MOVES, Payment, PaymentStatus
from nexus_bookings.payments.provider import Charge, ChargeStatus
from nexus_bookings.settlement import service as settlement
from nexus_contracts.bookings import BookingConfirmed, PaymentFailed, PaymentRefunded, PaymentSucceeded
from nexus_contracts.listings import ListingSnapshot, ListingStatus, ListingUnpublished
from nexus_contracts.money import Money
from nexus_kit.errors import IllegalTransition
from nexus_kit.testing import PUBLIC_URL, signed_in
from sqlalchemy import text

from tests.bookings.given import House, Json, code, eventually, succeeded

pytestmark = pytest.mark.usefixtures("balanced_books")


def charged(tx_ref: str, status: ChargeStatus, total: Json) -> Charge:
    """The provider's answer."""
    return Charge(tx_ref, status, Money(**total), "AP-reference", fee=0, in_our_mode=True)


async def test_a_guest_pays_on_the_providers_page_and_the_booking_is_confirmed(
    house: House, listing: ListingSnapshot, booking: Json
) -> None:
    answer = await house.act(booking, "payments", booking["guest_id"])
    payment = succeeded(answer)
    assert answer.status_code == 201
    assert payment["status"] == "pending"
    assert payment["amount"] == booking["total"]

    await house.press(payment)

    confirmed = await house.becomes(booking, "confirmed")
    assert confirmed["expires_at"] is None
    assert await house.calendar(listing) == [0, 0]
    [succeeded_fact] = await house.facts(PaymentSucceeded, payment["id"])
    [confirmed_fact] = await house.facts(BookingConfirmed, booking["id"])
    assert (succeeded_fact.sequence, confirmed_fact.sequence) == (2, 2)
    assert succeeded_fact.data.amount.model_dump() == booking["total"]


async def test_the_provider_learns_who_pays_and_we_do_not_keep_it(house: House, booking: Json) -> None:
    payment = await house.pay(booking)

    transaction = await house.transaction(payment)
    page = await house.provider.get(payment["checkout_url"])

    assert transaction["email"] == f"{booking['guest_id']}@nexus.example"
    assert transaction["amount"] == "11875.00"
    assert f"{PUBLIC_URL}" in page.headers["content-security-policy"]
    kept = await house.value("SELECT string_agg(p::text || b::text, '') FROM payments p, bookings b")
    assert "nexus.example" not in kept
    assert "Makeda" not in kept


async def test_a_payment_is_found_even_if_no_webhook_comes(house: House, booking: Json) -> None:
    await house.behave(webhooks="off")
    payment = await house.pay(booking)
    await house.press(payment)

    await house.execute("UPDATE payments SET check_at = now()")

    await house.becomes(booking, "confirmed")


async def test_paying_needs_a_key_and_replays_by_it(house: House, booking: Json) -> None:
    guest = signed_in(UUID(booking["guest_id"]))
    url = f"/api/v1/bookings/{booking['id']}/payments"

    unkeyed = await house.client.post(url, headers=guest)
    first = await house.act(booking, "payments", booking["guest_id"], key="k")
    second = await house.act(booking, "payments", booking["guest_id"], key="k")

    assert code(unkeyed) == (400, "idempotency_key_required")
    assert first.json() == second.json()
    assert second.headers["idempotency-replayed"] == "true"
    assert await house.value("SELECT count(*) FROM payments") == 1


async def test_fifty_payments_at_once_open_one_page(house: House, booking: Json) -> None:
    answers = await asyncio.gather(
        *(house.act(booking, "payments", booking["guest_id"], key="one wish") for _ in range(50))
    )

    assert {answer.status_code for answer in answers} <= {201, 409}
    assert len({answer.json()["id"] for answer in answers if answer.status_code == 201}) == 1
    assert await house.value("SELECT count(*) FROM payments") == 1


async def test_a_page_that_is_open_is_answered_again(house: House, booking: Json) -> None:
    first, second = await house.pay(booking), await house.pay(booking)

    assert first == second


async def test_parties_see_how_a_booking_was_paid(house: House, booking: Json) -> None:
    first = await house.pay(booking)
    await house.press(first, "fail")
    await house.payment_becomes(first, "failed")
    second = await house.pay(booking)

    url = f"/api/v1/bookings/{booking['id']}/payments"
    listed = succeeded(await house.client.get(url, headers=signed_in(UUID(booking["host_id"]))))

    assert [(each["id"], each["status"]) for each in listed["items"]] == [
        (second["id"], "pending"),
        (first["id"], "failed"),
    ]


# ---------------------------------------------------------------------------------------------- who may, and when


async def test_only_the_guest_pays(house: House, booking: Json) -> None:
    assert code(await house.act(booking, "payments", booking["host_id"])) == (403, "only_the_guest")
    assert code(await house.act(booking, "payments", uuid4())) == (404, "not_found")


async def test_only_a_live_hold_is_paid(house: House, booking: Json) -> None:
    await house.execute("UPDATE bookings SET expires_at = now()")
    overdue = await house.act(booking, "payments", booking["guest_id"])
    await house.becomes(booking, "expired")
    expired = await house.act(booking, "payments", booking["guest_id"])

    assert code(overdue) == code(expired) == (409, "not_payable")


async def test_a_request_is_not_paid_before_the_host_accepts(house: House) -> None:
    requested = await house.book(await house.listing(instant_book=False), uuid4())

    assert code(await house.act(requested, "payments", requested["guest_id"])) == (409, "not_payable")


async def test_a_currency_that_the_provider_does_not_take_is_refused(house: House) -> None:
    euros = {"price": Money(amount=5000, currency="EUR"), "cleaning_fee": Money(amount=0, currency="EUR")}
    booking = await house.book(await house.listing(**euros), uuid4())

    assert code(await house.act(booking, "payments", booking["guest_id"])) == (422, "currency_not_accepted")


# ---------------------------------------------------------------------------------------------- no money


@pytest.mark.parametrize("button", ["fail", "abandon"])
async def test_a_guest_whose_payment_failed_may_try_again(house: House, booking: Json, button: str) -> None:
    failed = await house.pay(booking)
    await house.press(failed, button)
    await house.payment_becomes(failed, "failed")

    second = await house.pay(booking)
    await house.press(second)

    await house.becomes(booking, "confirmed")
    assert failed["id"] != second["id"]
    assert len(await house.facts(PaymentFailed, failed["id"])) == 1


async def test_a_guest_whose_payment_failed_may_pay_on_the_same_page(house: House, booking: Json) -> None:
    payment = await house.pay(booking)
    await house.press(payment, "fail")
    await house.payment_becomes(payment, "failed")

    await house.press(payment, "pay")

    await house.becomes(booking, "confirmed")


async def test_a_hint_that_comes_while_the_provider_is_asked_is_not_lost(house: House, booking: Json) -> None:
    payment = await house.pay(booking)
    outdated = charged(await house.tx_ref(payment), ChargeStatus.FAILED, booking["total"])
    await house.behave(webhooks="off")
    await house.press(payment)

    async with house.service.database.unit_of_work() as session:
        await session.scalar(text("SELECT now()"))  # the transaction begins, and the webhook arrives, in this order
        await house.execute("UPDATE payments SET check_at = now()")
        await settlement.settle(session, UUID(payment["id"]), outdated)

    await house.becomes(booking, "confirmed")


async def test_a_failed_payment_is_looked_at_until_it_is_given_up(house: House, booking: Json) -> None:
    payment = await house.pay(booking)
    await house.press(payment, "fail")
    await house.payment_becomes(payment, "failed")
    await house.behave(webhooks="off")
    await house.press(payment, "pay")

    assert await house.value("SELECT check_at > now() + interval '4 minutes' FROM payments")
    await house.execute("UPDATE payments SET check_at = now()")

    await house.becomes(booking, "confirmed")


async def test_a_payment_that_never_comes_is_given_up(house: House, booking: Json) -> None:
    payment = await house.pay(booking)
    await house.execute("UPDATE payments SET check_at = now()")
    await asyncio.sleep(0.5)
    assert await house.value("SELECT status FROM payments") == "pending"

    await house.execute("UPDATE payments SET check_at = now(), give_up_at = now()")

    await house.payment_becomes(payment, "failed")
    assert await house.value("SELECT check_at FROM payments") is None


# ---------------------------------------------------------------------------------------------- wrong money


@pytest.mark.parametrize(
    "lie",
    [{"amount_override": "1.00"}, {"amount_override": "99999.00"}, {"currency_override": "USD"}],
)
async def test_money_that_was_not_asked_for_confirms_nothing_and_goes_back(
    house: House, booking: Json, lie: dict[str, str]
) -> None:
    payment = await house.pay(booking)
    await house.behave(**lie)

    await house.press(payment)

    async def refused() -> None:
        assert await house.value("SELECT reason FROM refunds") == "mismatch"

    await eventually(refused)
    assert (await house.read(booking))["status"] == "pending_payment"
    assert len(await house.facts(PaymentFailed, payment["id"])) == 1
    assert await house.facts(PaymentSucceeded) == []


async def test_a_charge_of_another_amount_is_given_back_as_it_was_charged(house: House, booking: Json) -> None:
    payment = await house.pay(booking)
    await house.behave(amount_override="1.00")

    await house.press(payment)

    await house.payment_becomes(payment, "refunded")
    assert (await house.transaction(payment))["refunded"] == "1.00"


async def test_the_answer_about_another_payment_settles_nothing(house: House, booking: Json) -> None:
    payment = await house.pay(booking)
    await house.behave(tx_ref_override="nexus-somebody-elses")
    await house.press(payment)
    await house.execute("UPDATE payments SET check_at = now()")

    await house.payment_becomes(payment, "failed")

    assert (await house.read(booking))["status"] == "pending_payment"
    assert await house.value("SELECT count(*) FROM refunds") == 0


# ---------------------------------------------------------------------------------------------- late money


async def test_late_money_still_buys_nights_that_nobody_else_took(
    house: House, listing: ListingSnapshot, booking: Json
) -> None:
    payment = await house.pay(booking)
    await house.overdue(booking)
    await house.becomes(booking, "expired")
    assert await house.calendar(listing) == [1, 1]

    await house.press(payment)

    await house.becomes(booking, "confirmed")
    assert await house.calendar(listing) == [0, 0]
    assert await house.value("SELECT count(*) FROM refunds") == 0


async def test_late_money_for_nights_that_are_gone_goes_back(
    house: House, listing: ListingSnapshot, booking: Json
) -> None:
    payment = await house.pay(booking)
    await house.overdue(booking)
    await house.becomes(booking, "expired")
    other = await house.book(listing, uuid4())

    await house.press(payment)

    await house.payment_becomes(payment, "refunded")
    assert (await house.transaction(payment))["refunded"] == "11875.00"
    assert (await house.read(booking))["status"] == "expired"
    assert (await house.read(other))["status"] == "pending_payment"
    assert await house.value("SELECT count(*) FROM nights") == 2
    assert len(await house.facts(PaymentRefunded, payment["id"])) == 1


async def test_late_money_for_a_listing_that_is_no_longer_offered_goes_back(
    house: House, listing: ListingSnapshot, booking: Json
) -> None:
    payment = await house.pay(booking)
    await house.overdue(booking)
    await house.becomes(booking, "expired")
    withdrawn = listing.model_copy(update={"version": 2, "status": ListingStatus.UNPUBLISHED})
    await house.deliver(ListingUnpublished(listing_id=listing.id, listing=withdrawn))

    await house.press(payment)

    await house.payment_becomes(payment, "refunded")
    assert (await house.read(booking))["status"] == "expired"


async def test_money_for_a_cancelled_booking_goes_back(house: House, listing: ListingSnapshot, booking: Json) -> None:
    payment = await house.pay(booking)
    await house.act(booking, "cancel", booking["guest_id"])

    await house.press(payment)

    await house.payment_becomes(payment, "refunded")
    assert (await house.read(booking))["status"] == "cancelled"
    assert await house.calendar(listing) == [1, 1]


async def test_a_booking_paid_twice_gives_the_second_payment_back(house: House, booking: Json) -> None:
    first = await house.pay(booking)
    await house.execute("UPDATE payments SET checkout_url = NULL")  # as if its answer had been lost
    second = await house.pay(booking)

    await house.press(first)
    await house.becomes(booking, "confirmed")
    await house.press(second)

    await house.payment_becomes(second, "refunded")
    await house.payment_becomes(first, "succeeded")
    assert await house.value("SELECT count(*) FROM refunds") == 1
    assert (await house.read(booking))["status"] == "confirmed"


# ---------------------------------------------------------------------------------------------- settled once


async def test_answers_that_come_at_once_settle_once(house: House, booking: Json) -> None:
    payment = await house.pay(booking)
    await house.behave(webhooks="off")
    tx_ref = await house.tx_ref(payment)
    charge = charged(tx_ref, ChargeStatus.SUCCEEDED, booking["total"])

    async def settle() -> None:
        async with house.service.database.unit_of_work() as session:
            await settlement.settle(session, UUID(payment["id"]), charge)

    await asyncio.gather(*(settle() for _ in range(8)))

    assert (await house.read(booking))["status"] == "confirmed"
    assert len(await house.facts(PaymentSucceeded)) == len(await house.facts(BookingConfirmed)) == 1
    assert await house.value("SELECT count(*) FROM refunds") == 0


async def test_confirming_twice_changes_nothing(house: House, booking: Json) -> None:
    booking_id = UUID(booking["id"])
    async with house.service.database.unit_of_work() as session:
        assert await bookings.confirm(session, booking_id)
    async with house.service.database.unit_of_work() as session:
        assert not await bookings.confirm(session, booking_id)

    assert len(await house.facts(BookingConfirmed)) == 1


async def test_success_outranks_failure_but_failure_never_undoes_success(house: House, booking: Json) -> None:
    payment = await house.pay(booking)
    await house.press(payment, "fail")
    await house.payment_becomes(payment, "failed")
    tx_ref = await house.tx_ref(payment)

    async def settle(status: ChargeStatus) -> None:
        async with house.service.database.unit_of_work() as session:
            charge = charged(tx_ref, status, booking["total"])
            await settlement.settle(session, UUID(payment["id"]), charge)

    await settle(ChargeStatus.SUCCEEDED)
    await settle(ChargeStatus.FAILED)

    assert (await house.read(booking))["status"] == "confirmed"
    assert await house.value("SELECT status FROM payments") == "succeeded"


@pytest.mark.parametrize("origin", PaymentStatus)
@pytest.mark.parametrize("target", PaymentStatus)
def test_a_payment_moves_if_and_only_if_the_table_has_it(origin: PaymentStatus, target: PaymentStatus) -> None:
    payment = Payment(status=origin, version=3)

    if target in LEGAL_MOVES[origin]:
        payment.move(target)
        assert (payment.status, payment.version) == (target, 4)
    else:
        with pytest.raises(IllegalTransition):
            payment.move(target)
        assert (payment.status, payment.version) == (origin, 3)
