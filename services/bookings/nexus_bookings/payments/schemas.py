"""The wire shapes of payments."""

from typing import Self
from uuid import UUID

from nexus_contracts.money import Money
from nexus_kit.schemas import Resource, Text, UtcDateTime
from pydantic import BaseModel, ConfigDict, Field

from nexus_bookings.payments.models import Payment, PaymentStatus


class PaymentOut(Resource):
    """One try to pay a booking."""

    id: UUID
    booking_id: UUID
    change_id: UUID | None = Field(description="The change that it pays the difference of; null: it pays the booking.")
    status: PaymentStatus
    checkout_url: str | None = Field(
        description="Send the guest there to pay. Null when the provider's page could not be opened, and for the host.",
        examples=["https://checkout.chapa.co/checkout/payment/…"],
    )
    amount: Money = Field(validation_alias="money")
    refunded: Money = Field(description="How much of it goes back, or went: `refunded` is the status once all did.")
    created_at: UtcDateTime

    @classmethod
    def of(cls, payment: Payment, user_id: UUID) -> Self:
        """As this party sees it: the provider's page names its guest, by an address that the host is not told."""
        seen = cls.model_validate(payment)
        return seen if payment.guest_id == user_id else seen.model_copy(update={"checkout_url": None})


class PaymentsOut(Resource):
    """All tries to pay one booking, newest first."""

    items: list[PaymentOut]
    next_cursor: None = None


class ChapaWebhook(BaseModel):
    """What we use of Chapa's webhook: everything else is asked for."""

    model_config = ConfigDict(extra="ignore")

    tx_ref: Text | None = Field(default=None, max_length=200, description="Our name for a payment.")
    reference: Text | None = Field(default=None, max_length=200, description="Without one: ours for a payout.")
    event: str | None = None


class User(BaseModel):
    """What auth answers at GET /internal/users/{id}, as far as a payment needs it."""

    model_config = ConfigDict(extra="ignore")

    email: str
    full_name: str
