"""The secrets of one local suite: made once, kept in its data folder where only its owner reads them.

`nexus up` makes them; the topology hands each process the few that it needs. Nothing here is ever used in production.
"""

import json
import os
from collections.abc import Callable
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from secrets import token_hex, token_urlsafe

FILE_MODE = 0o600


def _signing_key() -> str:
    # Imported only when a key is made: this costs 0.1 s of each start.
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

    key = ec.generate_private_key(ec.SECP256R1())
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()


def _made_by(make: Callable[[], str]) -> str:
    made: str = field(default_factory=make, repr=False)
    return made


@dataclass(frozen=True)
class Secrets:
    """One field per secret. A field that the file lacks (the suite has grown since) is made when it is first needed."""

    postgres_password: str = _made_by(token_hex)
    """Of the superuser."""
    auth_database_password: str = _made_by(token_hex)
    listings_database_password: str = _made_by(token_hex)
    bookings_database_password: str = _made_by(token_hex)
    worker_database_password: str = _made_by(token_hex)
    valkey_password: str = _made_by(token_hex)
    internal_secret: str = _made_by(token_hex)
    signing_key: str = _made_by(_signing_key)
    """PEM, EC P-256: what auth signs access tokens with."""
    chapa_secret_key: str = _made_by(lambda: f"CHASECK_TEST-{token_urlsafe(24)}")
    chapa_webhook_secret: str = _made_by(token_hex)
    guest_password: str = _made_by(lambda: token_urlsafe(12))
    host_password: str = _made_by(lambda: token_urlsafe(12))
    admin_password: str = _made_by(lambda: token_urlsafe(12))

    def database_password(self, service: str) -> str:
        """The password of a service's role."""
        password: str = getattr(self, f"{service}_database_password")
        return password

    def demo_password(self, person: str) -> str:
        """The password of the demo guest, host or admin."""
        password: str = getattr(self, f"{person}_password")
        return password


def load_or_make(file: Path) -> Secrets:
    """Read the file, make what it lacks, and see to it that nobody else can read it."""
    stored = json.loads(file.read_text()) if file.exists() else {}
    known = {each.name for each in fields(Secrets)}
    secrets = Secrets(**{name: value for name, value in stored.items() if name in known})
    if asdict(secrets) != stored:
        _write(file, secrets)
    file.chmod(FILE_MODE)
    return secrets


def _write(file: Path, secrets: Secrets) -> None:
    fresh = file.with_suffix(".new")
    fresh.unlink(missing_ok=True)
    with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, FILE_MODE), "w") as out:
        json.dump(asdict(secrets), out, indent=2)
        # The databases keep these passwords: losing the file to a power cut would lock us out of them.
        os.fsync(out.fileno())
    fresh.replace(file)
