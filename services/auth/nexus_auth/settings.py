"""What auth is told by its environment, beyond what every service is told. `main.build` and `seed` read it once."""

from nexus_kit.settings import ServiceSettings
from pydantic import Field, SecretStr


class Settings(ServiceSettings):
    """No other service has the first of these."""

    signing_key: SecretStr = Field(description="PEM of the P-256 private key that signs access tokens.")
    published_keys: str = Field(
        default="",
        description="PEMs, one after the other, of public keys that are published but do not sign.",
    )
