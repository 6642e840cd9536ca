"""The wire shapes of payouts."""

from uuid import UUID

from nexus_contracts.money import Currency, Money
from nexus_kit.pages import PageQuery
from nexus_kit.schemas import Body, Resource, UtcDateTime
from pydantic import Field

from nexus_bookings.payouts.models import PayoutStatus


class NewPayoutAccount(Body):
    """Where your earnings go."""

    account_name: str = Field(min_length=2, max_length=100, description="As the bank has it.", examples=["Hana Alemu"])
    account_number: str = Field(pattern=r"^[0-9A-Za-z]{6,34}$", description="No spaces.", examples=["1000123456789"])
    bank_code: int = Field(strict=True, ge=1, le=2**31 - 1, description="From GET /payouts/banks.", examples=[946])


class PayoutAccountOut(Resource):
    """Where your earnings go. The number is never shown again."""

    account_name: str
    account_number: str = Field(validation_alias="ending", description="Its last digits.", examples=["…6789"])
    bank_code: int
    updated_at: UtcDateTime


class BankOut(Resource):
    """A bank that earnings can be sent to."""

    code: int = Field(description="The `bank_code` of an account there.", examples=[946])
    name: str = Field(examples=["Commercial Bank of Ethiopia (CBE)"])


class BanksOut(Resource):
    """All of them."""

    items: list[BankOut]
    next_cursor: None = None


class NewPayout(Body):
    """The amount is what is available: it is never taken from a client."""

    host_id: UUID
    currency: Currency | None = Field(default=None, description="Needed when the host has several.")


class PayoutsQuery(PageQuery):
    """Which payouts to list."""

    status: PayoutStatus | None = None
    host_id: UUID | None = Field(default=None, description="For an admin: of one host.")


class PayoutOut(Resource):
    """A payout, as its host and the admins see it."""

    id: UUID
    host_id: UUID
    status: PayoutStatus = Field(description="`paid` may still become `failed`: a bank returns what it cannot credit.")
    amount: Money = Field(validation_alias="money")
    reference: str = Field(description="Our name for it at the payment provider.")
    failure: str | None = Field(description="Once `failed`: why. Until then: what an operator looks into.")
    created_at: UtcDateTime
