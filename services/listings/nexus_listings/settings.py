"""What the listings service is told by its environment; `main.py` builds it once."""

from nexus_kit.settings import ServiceSettings


class Settings(ServiceSettings):
    """The settings that all services share are enough."""
