"""What every service is told by its environment. A service's `settings.py` adds its own; `main.py` builds it once.

Names are upper case with the prefix NEXUS_; in containers a file of that name in lower case under /run/secrets will do.
Nothing secret has a default: a service that is not told refuses to start.
"""

from pathlib import Path
from typing import Literal

from pydantic import Field, SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict

_CONTAINER_SECRETS = Path("/run/secrets")


class DatabaseSettings(BaseSettings):
    """All that a migration is told."""

    model_config = SettingsConfigDict(
        env_prefix="NEXUS_",
        secrets_dir=_CONTAINER_SECRETS if _CONTAINER_SECRETS.is_dir() else None,
        extra="ignore",
        frozen=True,
    )

    database_url: SecretStr = Field(
        description="postgresql+asyncpg://user:password@host:port/database of this service alone."
    )


class ServiceSettings(DatabaseSettings):
    """The settings that all services share."""

    events_url: SecretStr = Field(description="redis://…/1: streams, the worker's queue, revocations. Must be durable.")
    cache_url: SecretStr = Field(description="redis://…/0: cached pages and rate limits. May be lost at any time.")
    internal_secret: SecretStr = Field(min_length=32, description="Signs service tokens; the same in all services.")
    issuer: str = Field(description="`iss` of access tokens: the public address of the suite.")
    public_url: str = Field(
        description="The gateway's address, without a trailing slash: links in mails and documents."
    )
    jwks_url: str = Field(description="Where auth publishes its keys, on the internal network.")
    log_level: Literal["debug", "info", "warning", "error"] = "info"
    database_pool_size: int = Field(default=10, ge=1, le=100, description="Connections per process.")
    rate_limits: Literal["on", "off"] = Field(default="on", description="Off only for load tests.")
