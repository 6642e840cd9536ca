"""What the bookings service is told by its environment; `main.py` builds it once."""

from nexus_kit.settings import ServiceSettings
from pydantic import Field, SecretStr


class Settings(ServiceSettings):
    """The settings that all services share, and those of money and neighbours."""

    auth_url: str = Field(description="auth on the internal network: who pays (GET /internal/users/{id}).")
    listings_url: str = Field(description="listings on the internal network: a listing that bookings has not heard of.")
    chapa_url: str = Field(description="Chapa's API, or the local simulator, without a trailing slash.")
    chapa_secret_key: SecretStr = Field(min_length=8, description="Bearer key of our account at Chapa.")
    chapa_webhook_secret: SecretStr = Field(min_length=8, description="Chapa signs its webhooks with it.")
    chapa_timeout_seconds: float = Field(
        default=8.0, gt=0, le=15, description="For one answer; shorter than an idempotency key's lease of 20 s."
    )
    hold_seconds: int = Field(default=900, ge=1, description="How long unpaid nights are held.")
    service_fee_percent: int = Field(default=10, ge=0, le=100, description="Of the nights and the cleaning fee.")
