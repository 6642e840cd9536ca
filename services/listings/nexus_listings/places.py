"""Which countries and time zones there are, as the tz database says: the wire shapes check against it."""

from functools import cache
from importlib.resources import files


@cache
def countries() -> frozenset[str]:
    """ISO 3166-1 alpha-2 codes, from the table that ships with tzdata."""
    table = (files("tzdata") / "zoneinfo" / "iso3166.tab").read_text(encoding="utf-8")
    return frozenset(line[:2] for line in table.splitlines() if line and not line.startswith("#"))


@cache
def timezones() -> frozenset[str]:
    """IANA names, such as Africa/Addis_Ababa; not `localtime` and the like, which mean the machine and not a place."""
    names = (files("tzdata") / "zones").read_text(encoding="utf-8").split()
    return frozenset(names) - {"Factory", "localtime"}
