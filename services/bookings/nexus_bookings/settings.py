"""What the bookings service is told by its environment; `main.py` builds it once."""

from typing import Literal

from nexus_kit.settings import ServiceSettings
from pydantic import Field, SecretStr

from nexus_bookings.pricing import Percentages


class Settings(ServiceSettings):
    """The settings that all services share, and those of money and neighbours."""

    auth_url: str = Field(description="auth on the internal network: who pays (GET /internal/users/{id}).")
    listings_url: str = Field(description="listings on the internal network: a listing that bookings has not heard of.")
    chapa_url: str = Field(description="Chapa's API, or the local simulator, without a trailing slash.")
    chapa_secret_key: SecretStr = Field(min_length=8, description="Bearer key of our account at Chapa.")
    chapa_webhook_secret: SecretStr = Field(min_length=8, description="Chapa signs its webhooks with it.")
    chapa_mode: Literal["test", "live"] = Field(
        default="live", description="Of the key. A payment of the other mode confirms nothing."
    )
    chapa_timeout_seconds: float = Field(
        default=8.0, gt=0, le=15, description="For one answer; shorter than an idempotency key's lease of 20 s."
    )
    calendar_private_networks: str = Field(
        default="", description="Private networks (CIDR, comma-separated) whose calendars hosts may name; usually none."
    )
    hold_seconds: int = Field(default=900, ge=1, description="How long unpaid nights are held.")
    offer_seconds: int = Field(
        default=7200, ge=1, description="How long freed nights are held for the first on the waiting list."
    )
    service_fee_percent: int = Field(
        default=10, ge=0, le=100, description="What guests pay us on top, of what hosts ask."
    )
    tax_percent: int = Field(default=15, ge=0, le=100, description="What guests pay the state, of what hosts ask.")
    host_fee_percent: int = Field(default=3, ge=0, le=100, description="What we keep of what hosts ask.")

    @property
    def percentages(self) -> Percentages:
        """As `pricing` takes them."""
        return Percentages(self.service_fee_percent, self.tax_percent, self.host_fee_percent)
