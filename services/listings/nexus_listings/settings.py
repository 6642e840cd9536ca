"""What the listings service is told by its environment; `main.py` builds it once."""

from nexus_kit.settings import ServiceSettings
from pydantic import Field


class Settings(ServiceSettings):
    """What all services are told, and where photos are kept."""

    photos_url: str = Field(description="file:///folder or s3://bucket/prefix: the photos' files. The worker's, too.")
