"""Real servers for tests: an embedded PostgreSQL and Valkey on free ports, stopped when the block ends.

`tests/conftest.py` starts one of each for the session; a test that kills a server starts its own.
"""

import contextlib
import ctypes
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from nexus_local import postgres, valkey
from nexus_local.unprivileged import Identity, server_identity

PASSWORD = "only-in-tests"
START_SECONDS = 30
PR_SET_PDEATHSIG = 1  # <linux/prctl.h>
FAST_NOT_DURABLE = {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off", "shared_buffers": "64MB"}


def free_port() -> int:
    """A TCP port of the loopback interface that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@contextlib.contextmanager
def running_postgres(**settings: str) -> Iterator[str]:
    """A new cluster; yields the superuser's URL, `postgresql://…/postgres`."""
    with tempfile.TemporaryDirectory(prefix="nexus-tests-pg-") as folder:
        data, port = Path(folder) / "data", free_port()
        postgres.initialise(data, PASSWORD)
        with _process(postgres.command(data, port, FAST_NOT_DURABLE | settings), Path(folder), server_identity()):
            yield f"postgresql://{postgres.SUPERUSER}:{PASSWORD}@127.0.0.1:{port}/postgres"


@contextlib.contextmanager
def running_valkey(port: int | None = None) -> Iterator[tuple[str, subprocess.Popen[bytes]]]:
    """An empty server; yields its URL without a database (`redis://:…@127.0.0.1:6379`) and its process."""
    with tempfile.TemporaryDirectory(prefix="nexus-tests-valkey-") as folder:
        port = port or free_port()
        with _process(valkey.command(Path(folder) / "data", port, PASSWORD), Path(folder), {}) as process:
            yield f"redis://:{PASSWORD}@127.0.0.1:{port}", process


@contextlib.contextmanager
def _process(command: list[str], folder: Path, identity: Identity) -> Iterator[subprocess.Popen[bytes]]:
    log = folder / "log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            command,
            stdout=output,
            stderr=output,
            cwd="/",
            preexec_fn=_die_with_parent(),  # noqa: PLW1509 - it makes one system call and nothing else
            **identity,
        )
    try:
        _await_readiness(process, log)
        yield process
    finally:
        process.send_signal(signal.SIGINT)
        process.wait(START_SECONDS)


def _await_readiness(process: subprocess.Popen[bytes], log: Path) -> None:
    """Both servers log the same words once they answer."""
    deadline = time.monotonic() + START_SECONDS
    while "ready to accept connections" not in log.read_text().lower():
        if time.monotonic() > deadline or process.poll() is not None:
            raise RuntimeError(f"{process.args!r} does not start:\n{log.read_text()[-2000:]}")
        time.sleep(0.02)


def _die_with_parent() -> Callable[[], None] | None:
    """A killed test run must leave no server behind; only Linux can promise that."""
    if sys.platform != "linux":
        return None
    prctl = ctypes.CDLL(None).prctl
    return lambda: prctl(PR_SET_PDEATHSIG, signal.SIGINT)
