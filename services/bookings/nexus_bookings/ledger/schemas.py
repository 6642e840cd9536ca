"""The wire shapes of the ledger: what a host is owed."""

from nexus_contracts.money import Currency, Money
from nexus_kit.schemas import Resource
from pydantic import Field


class Balance(Resource):
    """A host's money in one currency."""

    currency: Currency
    pending: Money = Field(description="Of stays that are ahead or going on: what you get when they are over.")
    available: Money = Field(description="Earned, and not paid out yet.")
    on_the_way: Money = Field(description="In payouts whose arrival at your bank is not confirmed yet.")
    paid_out: Money = Field(description="Arrived at your bank, ever, and did not come back.")


class BalanceOut(Resource):
    """All of it."""

    items: list[Balance] = Field(description="One for each currency in which you have ever earned; empty for none.")
