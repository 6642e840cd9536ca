"""How facts read in a mail: money, dates and moments in plain English. The templates use these as filters."""

import unicodedata
from datetime import date, datetime
from decimal import Decimal

from babel.dates import format_date, format_datetime, get_timezone
from babel.numbers import format_currency
from nexus_contracts.money import Money

_LOCALE = "en"
_DAY = "EEEE, d MMMM y"

# Digits after the point by ISO 4217, where they are not two. Babel's own table is CLDR's, which differs (IQD: 0).
_NO_DIGITS = ("BIF", "CLP", "DJF", "GNF", "ISK", "JPY", "KMF", "KRW", "PYG", "RWF", "UGX", "UYI", "VND", "VUV", "XAF")
_EXPONENTS = {
    **dict.fromkeys((*_NO_DIGITS, "XOF", "XPF"), 0),
    **dict.fromkeys(("BHD", "IQD", "JOD", "KWD", "LYD", "OMR", "TND"), 3),
    **dict.fromkeys(("CLF", "UYW"), 4),
}


def money(amount: Money) -> str:
    """`ETB 4,500.00`: the code and not a symbol, since a dollar sign leaves open whose dollars."""
    value = Decimal(amount.amount).scaleb(-_EXPONENTS.get(amount.currency, 2))
    return format_currency(value, amount.currency, "¤¤ #,##0.00", locale=_LOCALE, decimal_quantization=False)


def day(night: date) -> str:
    """`Monday, 7 December 2026`."""
    return format_date(night, _DAY, locale=_LOCALE)


def moment(instant: datetime, timezone: str) -> str:
    """`Monday, 7 December 2026, 14:30 East Africa Time`: as the clock on the listing's wall shows it."""
    return format_datetime(instant, f"{_DAY}, HH:mm zzzz", tzinfo=get_timezone(timezone), locale=_LOCALE)


def one_line(text: str) -> str:
    """What a header, or a line of plain text, may hold of what somebody chose: no line break or control character."""
    return " ".join("".join(" " if unicodedata.category(sign) == "Cc" else sign for sign in text).split())
