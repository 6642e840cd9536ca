"""The wire shapes of payments."""

from uuid import UUID

from nexus_contracts.money import Money
from nexus_kit.schemas import Resource, UtcDateTime
from pydantic import BaseModel, ConfigDict, Field

from nexus_bookings.payments.models import PaymentStatus


class PaymentOut(Resource):
    """One try to pay a booking."""

    id: UUID
    booking_id: UUID
    status: PaymentStatus
    checkout_url: str | None = Field(
        description="Send the guest there to pay. Null when the provider's page could not be opened.",
        examples=["https://checkout.chapa.co/checkout/payment/…"],
    )
    amount: Money = Field(validation_alias="money")
    created_at: UtcDateTime


class PaymentsOut(Resource):
    """All tries to pay one booking, newest first."""

    items: list[PaymentOut]
    next_cursor: None = None


class ChapaWebhook(BaseModel):
    """What we use of Chapa's webhook: everything else is asked for."""

    model_config = ConfigDict(extra="ignore")

    tx_ref: str | None = Field(default=None, max_length=200)
    event: str | None = None


class User(BaseModel):
    """What auth answers at GET /internal/users/{id}, as far as a payment needs it."""

    model_config = ConfigDict(extra="ignore")

    email: str
    full_name: str
