"""Money and moments as people read them."""

from datetime import UTC, datetime

import pytest
from nexus_contracts.money import Money
from nexus_worker.mail import words


@pytest.mark.parametrize(
    ("amount", "currency", "read"),
    [
        (450000, "ETB", "ETB 4,500.00"),
        (5, "USD", "USD 0.05"),
        (-1999, "EUR", "-EUR 19.99"),
        (4500, "JPY", "JPY 4,500"),
        (4500, "KWD", "KWD 4.500"),
        (4501, "IQD", "IQD 4.501"),
    ],
)
def test_minor_units_are_read_by_the_currencys_own_digits(amount: int, currency: str, read: str) -> None:
    assert words.money(Money(amount=amount, currency=currency)) == read


def test_a_moment_is_read_off_the_clock_on_the_listings_wall() -> None:
    midnight_utc = datetime(2026, 12, 31, 22, 30, tzinfo=UTC)

    assert words.moment(midnight_utc, "Africa/Addis_Ababa") == "Friday, 1 January 2027, 01:30 East Africa Time"


def test_a_line_holds_no_line_break() -> None:
    assert words.one_line(" a\r\n b\x00\u2028c ") == "a b c"
