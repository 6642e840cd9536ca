"""Changes that meet something else at the same moment: no night is lost or sold twice, no money is kept."""

import asyncio
import random
from collections import Counter
from datetime import timedelta
from uuid import UUID, uuid4

import pytest

from tests.bookings.books import TOTAL
from tests.bookings.changing import (
    NIGHT,
    ask,
    change,
    overdue,
    read,
    went_back,
    wish,
)
from tests.bookings.given import ARRIVAL, House, Json, code, eventually, nights_from

pytestmark = pytest.mark.usefixtures("balanced_books", "exact_nights")


async def test_paying_and_expiring_at_once_ends_in_one_of_both(house: House) -> None:
    booking, _ = await house.sell()
    await change(house, booking, nights=3)
    payment = await house.pay(booking)

    await house.execute("UPDATE booking_changes SET expires_at = now() + interval '0.3 seconds'")
    await house.press(payment)

    async def settled() -> int:
        status = (await read(house, booking))[0]["status"]
        assert status in {"applied", "expired"}
        assert await house.value("SELECT charged_amount FROM payments WHERE change_id IS NOT NULL") == NIGHT
        return 0 if status == "applied" else NIGHT

    await went_back(house, await eventually(settled))


@pytest.mark.parametrize("units", [1, 2])
async def test_a_change_and_bookings_of_others_never_share_a_night(house: House, units: int) -> None:
    listing = await house.listing(units=units)
    booking, _ = await house.sell(listing)
    longer = await wish(house, booking, nights=3)
    third = nights_from(ARRIVAL + timedelta(days=2), 1)
    guests = [uuid4() for _ in range(6)]
    quotes = [await house.quote(listing, guest, **third) for guest in guests]

    others = (house.ask_booking(quote["id"], guest) for quote, guest in zip(quotes, guests, strict=True))
    answers = await asyncio.gather(ask(house, booking, longer), *others)

    assert Counter(each.status_code for each in answers) == {201: units, 409: 7 - units}
    assert await house.calendar(listing, days=3) == [units - 1, units - 1, 0]


async def test_a_change_that_races_with_the_cancellation_is_made_before_it_or_never(house: House) -> None:
    booking, _ = await house.sell()
    shorter = await wish(house, booking, nights=1)

    changed, cancelled = await asyncio.gather(
        ask(house, booking, shorter), house.act(booking, "cancel", booking["guest_id"])
    )

    assert cancelled.status_code == 200
    if changed.status_code != 201:
        assert code(changed) == (409, "not_changeable")
    await went_back(house, TOTAL)


async def test_fifty_retries_at_once_make_one_change(house: House) -> None:
    booking, _ = await house.sell()
    quote = await wish(house, booking, nights=1)

    answers = await asyncio.gather(*(ask(house, booking, quote, key="one change") for _ in range(50)))

    assert {each.status_code for each in answers} <= {201, 409}
    assert len(await read(house, booking)) == 1
    await went_back(house, NIGHT)


async def test_a_booking_has_one_open_change(house: House) -> None:
    booking, _ = await house.sell()
    quotes = [await wish(house, booking, nights=nights) for nights in (3, 4, 5)]

    answers = await asyncio.gather(*(ask(house, booking, quote) for quote in quotes))

    assert Counter(each.status_code for each in answers) == {201: 1, 409: 2}
    assert {each.json()["code"] for each in answers if each.status_code == 409} == {"change_open"}


UNEVEN = """
    SELECT count(*) FROM bookings b WHERE status = 'confirmed' AND total_amount <> (
        SELECT sum(charged_amount - refunded_amount) FROM payments p WHERE booking_id = b.id AND p.status = 'succeeded')
"""


@pytest.mark.parametrize("seed", range(3))
async def test_whatever_happens_at_the_same_time_each_guest_has_one_stay_and_has_paid_its_price(
    house: House, seed: int
) -> None:
    chance = random.Random(seed)
    listing = await house.listing(units=2)
    sold = [(await house.sell(listing, **nights_from(ARRIVAL + timedelta(days=first), 2)))[0] for first in (0, 1, 4)]

    async def try_to_change(booking: Json) -> int:
        dates = nights_from(ARRIVAL + timedelta(days=chance.randint(0, 5)), chance.randint(1, 4))
        guest = UUID(booking["guest_id"])
        quote = await house.ask_quote(listing.id, guest, **dates, booking_id=booking["id"])
        return (await ask(house, booking, quote.json())).status_code if quote.is_success else quote.status_code

    async def try_to_pay(booking: Json) -> int:
        opened = await house.act(booking, "payments", booking["guest_id"])
        if opened.is_success:
            tx_ref = await house.tx_ref(opened.json())
            await house.provider.post(f"/simulator/transactions/{tx_ref}/pay")  # perhaps paid already
        return opened.status_code

    async def try_to_book() -> int:
        guest = uuid4()
        dates = nights_from(ARRIVAL + timedelta(days=chance.randint(0, 5)), chance.randint(1, 3))
        quote = await house.ask_quote(listing.id, guest, **dates)
        return (await house.ask_booking(quote.json()["id"], guest)).status_code if quote.is_success else 409

    async def time_passes() -> int:
        await overdue(house)
        return 200

    for _ in range(4):
        booking = chance.choice(sold)
        moves = [try_to_change(each) for each in sold] + [try_to_pay(each) for each in sold] + [try_to_book()]
        if chance.random() < 0.5:
            moves.append(time_passes())
        statuses = await asyncio.gather(*moves)
        assert set(statuses) <= {200, 201, 404, 409, 422, 503}
    await house.act(booking, "cancel", booking[chance.choice(["guest_id", "host_id"])])

    async def is_settled() -> None:
        assert await house.value("SELECT count(*) FROM payments WHERE charged_amount IS NULL AND failure IS NULL") == 0
        assert await house.value("SELECT count(*) FROM refunds WHERE done_at IS NULL") == 0

    await time_passes()
    await asyncio.gather(*(try_to_pay(each) for each in sold))
    await house.execute(
        "UPDATE payments SET give_up_at = now(), check_at = now() WHERE charged_amount IS NULL AND check_at IS NOT NULL"
    )
    await eventually(is_settled)
    assert await house.value(UNEVEN) == 0
    assert await house.value("SELECT count(*) FROM booking_changes WHERE status = 'applied'") > 0
