"""One local suite: its folder, ports, secrets, and the addresses that follow from them.

The topology, the seed, the migrations and every `nexus` command start from it.
"""

from dataclasses import dataclass
from pathlib import Path

from nexus_local import ports, secrets
from nexus_local.postgres import SUPERUSER
from nexus_local.secrets import Secrets
from nexus_local.state import DataFolder

REPOSITORY = Path(__file__).resolve().parents[3]
SERVICES = ("auth", "listings", "bookings", "worker")
"""Each has a database and a role of its own, and migrations in `services/<name>`."""
DOCUMENTED = ("auth", "listings", "bookings")
"""Those with an API for clients."""
DEMO_NAMES = {"guest": "Hana Tesfaye", "host": "Daniel Otieno", "admin": "Amina Yusuf"}


@dataclass(frozen=True)
class Suite:
    """What is the same for every process of one run."""

    folder: DataFolder
    ports: dict[str, int]
    secrets: Secrets

    @classmethod
    def in_folder(cls, folder: DataFolder) -> "Suite":
        """The suite that was last started in this folder."""
        offset = folder.read_state().port_offset
        return cls(folder, ports.with_offset(offset), secrets.load_or_make(folder.secrets))

    @property
    def gateway_url(self) -> str:
        """Where clients go."""
        return f"https://localhost:{self.ports['gateway']}"

    @property
    def ca_file(self) -> Path:
        """What clients must trust."""
        return self.folder.tls / "ca.pem"

    def local_url(self, name: str) -> str:
        """A process that only this machine can reach."""
        return f"http://127.0.0.1:{self.ports[name]}"

    def browser_url(self, name: str) -> str:
        """The same, as a person opens it."""
        return f"http://localhost:{self.ports[name]}"

    def postgres_url(self) -> str:
        """The superuser's."""
        return (
            f"postgresql://{SUPERUSER}:{self.secrets.postgres_password}@127.0.0.1:{self.ports['postgres']}/{SUPERUSER}"
        )

    def database_url(self, service: str) -> str:
        """A service's own database, as its role."""
        role, password = f"nexus_{service}", self.secrets.database_password(service)
        return f"postgresql+asyncpg://{role}:{password}@127.0.0.1:{self.ports['postgres']}/{role}"

    def valkey_url(self, database: int) -> str:
        """0 is the cache, 1 carries events."""
        return f"redis://:{self.secrets.valkey_password}@127.0.0.1:{self.ports['valkey']}/{database}"

    def demo_login(self, person: str) -> dict[str, str]:
        """The address and password of the demo guest, host or admin."""
        return {"email": f"{person}@nexus.example", "password": self.secrets.demo_password(person)}
