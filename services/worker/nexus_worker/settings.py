"""What the worker is told by its environment, beyond what every service is told. `main.build` reads it once."""

from nexus_kit.settings import ServiceSettings
from pydantic import Field, SecretStr


class Settings(ServiceSettings):
    """The peers that reactions call, and how many of them run at once."""

    auth_url: str = Field(description="auth on the internal network: who is mailed, and the tokens in mails.")
    listings_url: str = Field(description="listings on the internal network: events are delivered to it.")
    bookings_url: str = Field(description="bookings on the internal network: events are delivered to it.")
    smtp_url: SecretStr = Field(
        description="smtp://host:port (STARTTLS where offered, required with a login) or smtps://user:password@host:port."
    )
    photos_url: str = Field(description="file:///folder or s3://bucket/prefix: the photos' files. The listings', too.")
    mail_from: str = Field(description="The sender of every mail.", examples=["Nexus <no-reply@nexus.localhost>"])
    worker_threads: int = Field(
        default=8, ge=1, le=64, description="Mails that run at once in this process, and as many other reactions."
    )
    reaction_retries: int = Field(
        default=40, ge=0, le=100, description="Tries after the first before a reaction becomes a dead letter."
    )
