"""The ledger: every movement sums to zero, nothing is written twice or changed, and everybody has what is theirs."""

from uuid import uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st
from nexus_bookings import movements
from nexus_bookings.movements import EARNING, Account, Kind, Movement
from nexus_contracts.bookings import BookingCancelled, PaymentRefunded
from sqlalchemy.exc import IntegrityError

from tests.bookings.books import CHARGE, FEE, PAYOUT, TAX, TOTAL, balance_of, ledger_of
from tests.bookings.given import House, Json, birr, eventually, succeeded

amounts = st.integers(min_value=0, max_value=10**13)
divisions = st.fixed_dictionaries(dict.fromkeys(EARNING, amounts))


@pytest.fixture
async def stay(house: House) -> tuple[Json, Json]:
    """Sold."""
    return await house.sell()


books = pytest.mark.usefixtures("balanced_books")

# ---------------------------------------------------------------------------------------------- from fact to entries


@given(money=amounts, before=divisions, now=divisions)
def test_every_movement_sums_to_zero(money: int, before: dict[Account, int], now: dict[Account, int]) -> None:
    one, two, three = uuid4(), uuid4(), uuid4()
    all_kinds: list[Movement] = [
        movements.received(one, two, birr(money)),
        movements.charged(one, two, birr(money)),
        movements.returned(one, two, birr(money)),
        movements.earned(one, two, three, "ETB", before=before, now=now),
        movements.earned(one, two, three, "ETB", before=before, now=now, kind=Kind.CHANGED),
        movements.released(one, two, three, birr(min(money, sum(now.values()))), now),
        movements.refunded(one, two, birr(money)),
        movements.payout_ordered(one, two, birr(money)),
        movements.payout_paid(one, two, birr(money)),
        movements.payout_charged(one, birr(money)),
        movements.payout_returned(one, two, birr(money)),
        movements.payout_failed(one, two, birr(money)),
    ]

    assert {movement.kind for movement in all_kinds} == set(Kind)
    assert {sum(entry.amount for entry in movement.entries) for movement in all_kinds} == {0}


@given(earned=divisions, data=st.data())
def test_refunds_in_any_parts_take_from_each_account_its_share_and_never_more_than_it_has(
    earned: dict[Account, int], data: st.DataObject
) -> None:
    left = dict(earned)
    for _ in range(5):
        total = sum(left.values())
        refund = data.draw(st.integers(min_value=0, max_value=total))

        parts = movements.pro_rata(refund, left)

        assert sum(parts.values()) == refund
        for account, part in parts.items():
            assert abs(part * total - refund * left[account]) <= total, "to the cent"
            left[account] -= part
        assert min(left.values()) >= 0
    assert movements.pro_rata(sum(left.values()), left) == left


@pytest.mark.parametrize("refund", [-1, 101])
def test_more_than_was_earned_cannot_be_given_back(refund: int) -> None:
    with pytest.raises(ValueError, match="cannot be taken"):
        movements.pro_rata(refund, {Account.HOST_PAYABLE: 80, Account.PLATFORM_FEE: 20})


def test_the_cents_that_are_left_over_come_from_the_largest_fractions() -> None:
    parts = movements.pro_rata(50, {Account.HOST_PAYABLE: 79, Account.PLATFORM_FEE: 11, Account.TAX: 11})

    assert parts == {Account.HOST_PAYABLE: 39, Account.PLATFORM_FEE: 6, Account.TAX: 5}


# ---------------------------------------------------------------------------------------------- what is written


@books
async def test_a_paid_stay_is_divided_between_host_platform_and_state(house: House, stay: tuple[Json, Json]) -> None:
    assert await ledger_of(house) == {
        "provider": TOTAL - CHARGE,
        "provider_charge": CHARGE,
        "host_payable": -PAYOUT,
        "platform_fee": -FEE,
        "tax": -TAX,
    }


@books
async def test_a_full_refund_leaves_only_the_providers_charge(house: House, stay: tuple[Json, Json]) -> None:
    booking, payment = stay

    await house.act(booking, "cancel", booking["guest_id"])
    await house.payment_becomes(payment, "refunded")

    assert await ledger_of(house) == {"provider": -CHARGE, "provider_charge": CHARGE}


@books
async def test_a_refund_is_owed_to_the_guest_until_it_is_paid(house: House, stay: tuple[Json, Json]) -> None:
    booking, _ = stay
    await house.behave(refund="500")

    await house.act(booking, "cancel", booking["guest_id"])

    assert await ledger_of(house, booking) == {
        "provider": TOTAL - CHARGE,
        "provider_charge": CHARGE,
        "guest": -TOTAL,
    }


@books
async def test_half_a_refund_takes_half_of_everybodys_share(house: House, stay: tuple[Json, Json]) -> None:
    booking, payment = stay
    await house.execute(
        "UPDATE bookings SET cancellation = jsonb_set(cancellation, '{tiers}', "
        """'[{"until": "2999-01-01T00:00:00Z", "refund_percent": 50}]')"""
    )

    await house.act(booking, "cancel", booking["guest_id"])

    async def paid() -> None:
        assert await ledger_of(house) == {
            "provider": TOTAL // 2 - CHARGE,
            "provider_charge": CHARGE,
            "host_payable": -PAYOUT // 2,
            "platform_fee": -FEE // 2,
            "tax": -TAX // 2,
        }

    await eventually(paid)
    assert (await house.transaction(payment))["refunded"] == "5937.50"
    assert await house.value("SELECT status FROM payments") == "succeeded", "the rest of it is still ours"
    [fact] = await house.facts(PaymentRefunded, payment["id"])
    assert (fact.sequence, fact.data.amount) == (3, birr(TOTAL // 2))
    assert await balance_of(house, booking["host_id"]) == {"available": PAYOUT // 2}, "nothing can change it any more"


@books
async def test_late_money_that_buys_nothing_passes_through(house: House) -> None:
    listing = await house.listing()
    booking = await house.book(listing, uuid4())
    payment = await house.pay(booking)
    await house.overdue(booking)
    await house.becomes(booking, "expired")
    await house.book(listing, uuid4())

    await house.press(payment)
    await house.payment_becomes(payment, "refunded")

    assert await ledger_of(house) == {"provider": -CHARGE, "provider_charge": CHARGE}


# ---------------------------------------------------------------------------------------------- the balance


@books
async def test_a_hosts_money_is_pending_until_the_stay_is_over(house: House, stay: tuple[Json, Json]) -> None:
    booking, _ = stay
    before = await balance_of(house, booking["host_id"])

    await house.finish(booking)

    assert before == {"pending": PAYOUT}
    assert await balance_of(house, booking["host_id"]) == {"available": PAYOUT}
    assert await balance_of(house, uuid4()) == {}


# ---------------------------------------------------------------------------------------------- taken back


@books
@pytest.mark.parametrize("how", ["refund", "reverse"])
async def test_money_that_the_provider_takes_back_calls_off_a_stay_that_is_ahead(house: House, how: str) -> None:
    listing = await house.listing()
    booking, payment = await house.sell(listing)

    await house.provider.post(f"/simulator/transactions/{await house.tx_ref(payment)}/return/{how}")

    cancelled = await house.becomes(booking, "cancelled")
    assert (cancelled["cancelled_by"], cancelled["refund"]) == ("system", booking["total"])
    assert await house.calendar(listing) == [1, 1]
    assert len(await house.facts(BookingCancelled, booking["id"])) == 1
    assert [fact.data.amount for fact in await house.facts(PaymentRefunded, payment["id"])] == [birr(TOTAL)]
    assert await ledger_of(house) == {"provider": -CHARGE, "provider_charge": CHARGE}
    assert await house.value("SELECT status FROM payments") == "refunded"
    assert await house.value("SELECT count(*) FROM refunds") == 0, "nothing is given back twice"


@books
async def test_money_that_is_taken_back_after_the_stay_is_owed_by_the_guest_and_not_by_the_host(
    house: House, stay: tuple[Json, Json]
) -> None:
    booking, payment = stay
    await house.finish(booking)

    await house.provider.post(f"/simulator/transactions/{await house.tx_ref(payment)}/return/reverse")

    await house.payment_becomes(payment, "refunded")
    assert (await house.read(booking))["status"] == "completed"
    assert (await ledger_of(house))["guest"] == TOTAL
    assert await balance_of(house, booking["host_id"]) == {"available": PAYOUT}


@books
async def test_a_refund_that_the_bank_overtakes_is_not_given_a_second_time(
    house: House, stay: tuple[Json, Json]
) -> None:
    booking, payment = stay
    await house.behave(refund="down")
    succeeded(await house.act(booking, "cancel", booking["guest_id"]))

    await house.provider.post(f"/simulator/transactions/{await house.tx_ref(payment)}/return/reverse")

    await house.payment_becomes(payment, "refunded")
    await house.behave(refund="ok")
    assert await ledger_of(house) == {"provider": -CHARGE, "provider_charge": CHARGE}
    assert await house.value("SELECT count(*) FROM refunds WHERE done_at IS NULL") == 0, "nothing is left to try"
    assert [fact.data.amount for fact in await house.facts(PaymentRefunded, payment["id"])] == [birr(TOTAL)]


@books
async def test_money_of_a_second_payment_that_the_bank_takes_back_leaves_the_stay_alone(
    house: House, booking: Json
) -> None:
    first = await house.pay(booking)
    await house.execute("UPDATE payments SET checkout_url = NULL")  # as if its answer had been lost
    second = await house.pay(booking)
    await house.press(first)
    await house.becomes(booking, "confirmed")
    await house.behave(refund="down")
    await house.press(second)
    await house.payment_becomes(second, "succeeded")

    await house.provider.post(f"/simulator/transactions/{await house.tx_ref(second)}/return/reverse")

    await house.payment_becomes(second, "refunded")
    assert (await house.read(booking))["status"] == "confirmed"
    assert (await ledger_of(house))["host_payable"] == -PAYOUT


@books
async def test_a_host_who_cancels_keeps_nothing_of_money_that_was_taken_back_before(
    house: House, stay: tuple[Json, Json]
) -> None:
    booking, payment = stay
    await house.execute("UPDATE bookings SET check_in = current_date - 2, check_out = current_date + 9")  # it has begun
    await house.provider.post(f"/simulator/transactions/{await house.tx_ref(payment)}/return/reverse")
    await house.payment_becomes(payment, "refunded")
    assert (await ledger_of(house))["guest"] == TOTAL, "the guest owes it"

    cancelled = succeeded(await house.act(booking, "cancel", booking["host_id"]))

    assert cancelled["refund"] == birr(0).model_dump(), "there is nothing left to send"
    assert await ledger_of(house) == {"provider": -CHARGE, "provider_charge": CHARGE}
    assert await balance_of(house, booking["host_id"]) == {}


@books
async def test_a_payment_that_was_taken_back_is_found_even_if_no_webhook_comes(
    house: House, stay: tuple[Json, Json]
) -> None:
    booking, payment = stay
    await house.behave(webhooks="off")
    await house.provider.post(f"/simulator/transactions/{await house.tx_ref(payment)}/return/reverse")
    assert await house.value("SELECT check_at < now() + interval '25 hours' FROM payments")

    await house.execute("UPDATE payments SET check_at = now()")

    await house.becomes(booking, "cancelled")


# ---------------------------------------------------------------------------------------------- the database refuses

BALANCED = """
    WITH t AS (INSERT INTO ledger_transactions (kind, source_id) VALUES ('earned', uuidv7()) RETURNING id)
    INSERT INTO ledger_entries (transaction_id, account, amount, currency)
    SELECT t.id, e.account, e.amount, e.currency
    FROM t, (VALUES ('tax', 5, 'ETB'), ('guest', 7, 'USD'), ('guest', -5, 'ETB'), ('tax', -7, 'USD')
    ) AS e (account, amount, currency)"""
ONE_ENTRY = (
    "INSERT INTO ledger_entries (transaction_id, account, amount, currency) SELECT id, 'tax', {}, '{}' "
    "FROM ledger_transactions LIMIT 1"
)


@pytest.mark.parametrize(
    "statement",
    [
        ONE_ENTRY.format(1, "ETB"),
        ONE_ENTRY.format(0, "ETB"),
        ONE_ENTRY.format(1, "ETB").replace("'tax'", "'pocket'"),
        ONE_ENTRY.format(1, "ETB").replace("'tax'", "'payout'"),
        BALANCED.replace("('guest', -5, 'ETB')", "('guest', -5, 'USD')"),
        "UPDATE ledger_entries SET amount = amount + 1",
        "UPDATE ledger_entries SET amount = -amount",
        "UPDATE ledger_transactions SET at = now()",
        "DELETE FROM ledger_entries",
        "DELETE FROM ledger_transactions",
        "INSERT INTO ledger_transactions (kind, source_id) SELECT kind, source_id FROM ledger_transactions",
        "UPDATE payments SET refunded_amount = charged_amount + 1",
        "UPDATE payments SET charged_amount = NULL",
    ],
)
@books
async def test_the_database_itself_refuses_a_false_ledger(
    house: House, stay: tuple[Json, Json], statement: str
) -> None:
    before = await ledger_of(house)

    with pytest.raises(IntegrityError):
        await house.execute(statement)

    assert await ledger_of(house) == before


@books
async def test_entries_that_add_up_are_accepted_in_any_order(house: House, stay: tuple[Json, Json]) -> None:
    await house.execute(BALANCED)

    assert await house.value("SELECT count(*) FROM ledger_entries WHERE currency = 'USD'") == 2
