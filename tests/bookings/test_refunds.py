"""Money that goes back: as much as the terms say, once, however often the provider has to be asked."""

import asyncio
from typing import Any
from uuid import UUID, uuid4

import pytest
from nexus_contracts.bookings import PaymentRefunded
from nexus_contracts.listings import ListingSnapshot
from nexus_kit.testing import signed_in

from tests.bookings.given import House, Json, eventually, succeeded


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
    assert (await house.transaction(payment))["refunded"] == "10450.00"
    assert await house.calendar(listing) == [1, 1]
    [fact] = await house.facts(PaymentRefunded, payment["id"])
    assert (fact.sequence, fact.data.amount.model_dump()) == (3, booking["total"])


async def test_after_check_in_a_guest_gets_nothing_back_and_a_host_pays_everything(house: House) -> None:
    refunds: dict[str, Any] = {}
    for party in ("guest", "host"):
        booking = await house.book(await house.listing(), uuid4())
        payment = await house.pay(booking)
        await house.press(payment)
        await house.becomes(booking, "confirmed")
        await house.execute(
            "UPDATE bookings SET cancellation = jsonb_set(cancellation, '{tiers,0,until}', to_jsonb(now()))"
        )
        refunds[party] = succeeded(await house.act(booking, "cancel", booking[f"{party}_id"]))["refund"]["amount"]

    assert refunds == {"guest": 0, "host": 1_045_000}


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
    assert (await house.transaction(payment))["refunded"] == "10450.00"
    assert len(await house.facts(PaymentRefunded)) == 1
