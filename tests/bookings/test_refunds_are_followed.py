"""A refund is done when the provider says that the money went back, and not when it takes the order."""

import asyncio
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from nexus_bookings.payments.provider import RefundOutcome
from nexus_bookings.refunds import service as refunds
from nexus_bookings.refunds.models import LEGAL_MOVES, Refund, RefundStatus
from nexus_contracts.bookings import PaymentRefunded
from nexus_kit.errors import IllegalTransition
from nexus_kit.testing import signed_in

from tests.bookings.books import CHARGE, TOTAL, ledger_of
from tests.bookings.given import House, Json, eventually, succeeded
from tests.bookings.paying import needs_a_person

pytestmark = pytest.mark.usefixtures("balanced_books")


@pytest.fixture
async def accepted(house: House) -> tuple[Json, Json]:
    """A cancelled booking and its payment, whose refund the provider has taken and not given yet."""
    booking, payment = await house.sell()
    await house.behave(refunds="slow")
    succeeded(await house.act(booking, "cancel", booking["guest_id"]))
    await refund_is(house, "accepted")
    return booking, payment


async def refund_is(house: House, status: str) -> None:
    async def look() -> None:
        assert await house.value("SELECT status FROM refunds") == status

    await eventually(look)


async def end(house: House, how: str) -> None:
    reference = await house.value("SELECT reference FROM refunds")
    answer = await house.provider.post(f"/simulator/refunds/{reference}/{how}")
    assert answer.status_code == 204, answer.text


async def ask_now(house: House) -> None:
    await house.execute("UPDATE refunds SET due_at = now()")


async def test_until_it_is_given_the_provider_holds_it_and_we_owe_it_to_the_guest(
    house: House, accepted: tuple[Json, Json]
) -> None:
    booking, payment = accepted
    meanwhile = await ledger_of(house, booking)
    status = await house.value("SELECT status FROM payments")

    await end(house, "give")
    await house.payment_becomes(payment, "refunded")

    assert meanwhile == {"provider": TOTAL - CHARGE, "guest": -TOTAL, "provider_charge": CHARGE}
    assert status == "succeeded"
    assert await ledger_of(house, booking) == {"provider": -CHARGE, "provider_charge": CHARGE}
    assert await house.value("SELECT status FROM refunds") == "done"


async def test_the_guest_is_told_when_it_is_accepted_and_once(house: House, accepted: tuple[Json, Json]) -> None:
    _, payment = accepted
    told_early = await house.facts(PaymentRefunded)

    await end(house, "give")
    await house.payment_becomes(payment, "refunded")

    [told] = await house.facts(PaymentRefunded)
    assert told_early == [told]
    assert told.data.listing_title == "Lakeside cabin"


async def test_without_a_webhook_it_is_asked_about(house: House, accepted: tuple[Json, Json]) -> None:
    await house.behave(webhooks="off")
    await end(house, "give")
    await asyncio.sleep(1.2)
    unasked = await house.value("SELECT status FROM refunds")

    await ask_now(house)

    await refund_is(house, "done")
    assert unasked == "accepted"


async def test_it_is_asked_about_less_and_less_often(house: House, accepted: tuple[Json, Json]) -> None:
    pauses = []
    for tries in (2, 3, 20):
        await house.execute("UPDATE refunds SET due_at = now(), tries = :tries", tries=tries - 1)

        async def asked(tries: int = tries) -> None:
            assert await house.value("SELECT tries FROM refunds") == tries

        await eventually(asked)
        pauses.append(await house.value("SELECT due_at - now() FROM refunds"))

    assert timedelta(seconds=50) < pauses[0] < pauses[1] < timedelta(minutes=2) < pauses[2] <= timedelta(hours=1)


@pytest.mark.parametrize("trouble", ["500", "down"])
async def test_a_provider_that_cannot_be_asked_is_asked_again(
    house: House, accepted: tuple[Json, Json], trouble: str
) -> None:
    await house.behave(verify=trouble, webhooks="off")
    await end(house, "give")
    await house.execute("UPDATE refunds SET due_at = now(), tries = 30")

    async def failed() -> None:
        assert "UpstreamUnavailable" in (await house.value("SELECT failure FROM refunds") or "")

    await eventually(failed)
    await house.behave(verify="ok")
    await ask_now(house)

    await refund_is(house, "done")


# ---------------------------------------------------------------------------------------------- failed for good


async def retry(house: House) -> None:
    [stuck] = await needs_a_person(house)
    headers = {**signed_in(roles=("user", "admin")), "Idempotency-Key": "again"}
    succeeded(await house.client.post(f"/api/v1/payments/refunds/{stuck['refund_id']}/retry", headers=headers))


async def test_one_that_fails_in_the_end_waits_for_an_operator_who_has_it_given_under_another_name(
    house: House, accepted: tuple[Json, Json]
) -> None:
    _, payment = accepted
    failed_name = await house.value("SELECT reference FROM refunds")
    await end(house, "fail")
    await ask_now(house)
    await refund_is(house, "stuck")
    [stuck] = await needs_a_person(house)
    owed = await ledger_of(house)
    await house.behave(refunds="at_once")

    await retry(house)

    await house.payment_becomes(payment, "refunded")
    assert (stuck["concern"], stuck["amount"]["amount"]) == ("refund_stuck", TOTAL)
    assert failed_name in stuck["reason"]
    assert owed["guest"] == -TOTAL, "the guest is owed it as before"
    assert await house.value("SELECT reference FROM refunds") != failed_name
    assert (await house.transaction(payment))["refunded"] == "11875.00"
    assert len(await house.facts(PaymentRefunded)) == 1, "the guest was told before"


async def test_one_that_takes_too_long_waits_for_an_operator_and_is_not_given_twice(
    house: House, accepted: tuple[Json, Json]
) -> None:
    _, payment = accepted
    await house.execute("UPDATE refunds SET due_at = now(), accepted_at = now() - interval '15 days'")
    await refund_is(house, "stuck")
    [stuck] = await needs_a_person(house)
    await end(house, "give")

    await retry(house)

    await house.payment_becomes(payment, "refunded")
    assert "14 days ago" in stuck["reason"]
    assert (await house.transaction(payment))["refunded"] == "11875.00"


async def test_one_about_which_the_provider_does_not_answer_is_stuck_as_late(
    house: House, accepted: tuple[Json, Json]
) -> None:
    await house.behave(verify="500", webhooks="off")
    await house.execute("UPDATE refunds SET due_at = now(), accepted_at = now() - interval '15 days'")

    await refund_is(house, "stuck")


async def test_what_the_provider_takes_back_while_it_is_on_its_way_is_not_booked_twice(
    house: House, accepted: tuple[Json, Json]
) -> None:
    booking, payment = accepted
    await house.provider.post(f"/simulator/transactions/{await house.tx_ref(payment)}/return/reverse")

    await house.payment_becomes(payment, "refunded")
    await end(house, "give")
    await asyncio.sleep(0.5)

    assert await ledger_of(house, booking) == {"provider": -CHARGE, "provider_charge": CHARGE}
    assert len(await house.facts(PaymentRefunded)) == 1, "the guest has heard of this money"


# ---------------------------------------------------------------------------------------------- answers at once


async def test_answers_that_come_at_once_settle_once_and_an_old_one_settles_nothing(
    house: House, accepted: tuple[Json, Json]
) -> None:
    refund_id: UUID = await house.value("SELECT id FROM refunds")
    reference: str = await house.value("SELECT reference FROM refunds")

    async def settle(name: str, outcome: RefundOutcome | None) -> None:
        async with house.service.database.unit_of_work() as session:
            await refunds.settle(session, refund_id, name, outcome)

    await settle("nexus-another-name", RefundOutcome.FAILED)
    await settle(reference, RefundOutcome.PENDING)
    await settle(reference, None)
    unsettled = await house.value("SELECT status FROM refunds")
    await asyncio.gather(*(settle(reference, RefundOutcome.DONE) for _ in range(8)))
    await settle(reference, RefundOutcome.FAILED)

    assert unsettled == "accepted"
    assert await house.value("SELECT status FROM refunds") == "done"
    assert await house.value("SELECT count(*) FROM ledger_transactions WHERE kind = 'refund_paid'") == 1


async def test_the_order_that_was_sent_twice_is_accepted_once(house: House, accepted: tuple[Json, Json]) -> None:
    refund_id: UUID = await house.value("SELECT id FROM refunds")
    reference: str = await house.value("SELECT reference FROM refunds")
    async with house.service.database.unit_of_work() as session:
        await refunds.accepted(session, refund_id, reference)

    assert len(await house.facts(PaymentRefunded)) == 1


@pytest.mark.parametrize("origin", RefundStatus)
@pytest.mark.parametrize("target", RefundStatus)
def test_a_refund_moves_if_and_only_if_the_table_has_it(origin: RefundStatus, target: RefundStatus) -> None:
    refund: Any = Refund(status=origin, tries=3)

    if target in LEGAL_MOVES[origin]:
        refund.move(target)
        instants = (refund.done_at is not None, refund.stuck_at is not None)
        assert (refund.status, *instants) == (target, target == "done", target == "stuck")
    else:
        with pytest.raises(IllegalTransition):
            refund.move(target)
