"""The whole suite, started by the same `nexus up` that people use: for the e2e and fault tests and the benchmarks.

`Suite` knows the addresses and the processes; `actors.py` walks through it as a client.
"""

import contextlib
import json
import os
import random
import signal
import socket
import ssl
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nexus_local.secrets import Secrets, load_or_make

NEXUS = Path(sys.executable).with_name("nexus")
DEFAULT_PORTS = (8443, 8080, 8001, 8002, 8003, 8004, 8025, 1025, 8090, 5433, 6380)
WITHOUT_LIMITS = {"NEXUS_RATE_LIMITS": "off"}
"""For tests that do in a second what a client does in a day."""
START_SECONDS = 120
RECOVERY_SECONDS = 60


@dataclass(frozen=True)
class Suite:
    """One running suite."""

    data: Path
    port_offset: int
    environment: Mapping[str, str]

    def start(self) -> None:
        """`nexus up --detach`, until everything is ready; fails with what it printed."""
        command = [
            str(NEXUS),
            "up",
            "--detach",
            "--no-seed",
            f"--data-dir={self.data}",
            f"--port-offset={self.port_offset}",
        ]
        started = subprocess.run(
            command,
            env={**os.environ, **self.environment},
            capture_output=True,
            text=True,
            timeout=START_SECONDS,
            check=False,
        )
        assert started.returncode == 0, started.stdout + started.stderr

    def stop(self) -> None:
        """`nexus down`."""
        subprocess.run([NEXUS, "down", "--data-dir", self.data], check=True, capture_output=True, timeout=60)

    def status(self) -> dict[str, Any]:
        """What `nexus status --json` prints."""
        answer = subprocess.run(
            [NEXUS, "status", "--json", "--data-dir", self.data], check=True, capture_output=True, text=True
        )
        status: dict[str, Any] = json.loads(answer.stdout)
        return status

    @property
    def tls(self) -> ssl.SSLContext:
        """Trust in the suite's own certificate authority."""
        return ssl.create_default_context(cafile=self.status()["ca"])

    @property
    def secrets(self) -> Secrets:
        """What the suite made for itself."""
        return load_or_make(self.data / "secrets.json")

    def database_url(self, service: str) -> str:
        """Where one service keeps its rows: `postgresql://…`."""
        password, port = self.secrets.database_password(service), self.status()["postgres"]["port"]
        return f"postgresql://nexus_{service}:{password}@127.0.0.1:{port}/nexus_{service}"

    def process(self, name: str) -> dict[str, Any]:
        """pid, state and restarts of one process."""
        status = self.status()
        return status[name] if name in ("postgres", "valkey") else status["services"][name]  # type: ignore[no-any-return]

    def kill(self, name: str) -> int:
        """SIGKILL one process; returns how often it had been restarted before."""
        process = self.process(name)
        os.kill(process["pid"], signal.SIGKILL)
        return int(process["restarts"])

    def await_recovery(self, name: str, restarts: int) -> None:
        """Wait until the process was started again and is ready."""
        deadline = time.monotonic() + RECOVERY_SECONDS
        while time.monotonic() < deadline:
            process = self.process(name)
            if process["restarts"] > restarts and process["state"] == "ready":
                return
            time.sleep(0.2)
        raise AssertionError(f"{name} did not come back: {self.process(name)}")


@contextlib.contextmanager
def running_suite(environment: Mapping[str, str] = WITHOUT_LIMITS) -> Iterator[Suite]:
    """`nexus up` in a folder and on ports of its own; stopped and forgotten at the end."""
    with tempfile.TemporaryDirectory(prefix="nexus-suite-") as folder:
        suite = Suite(Path(folder) / "data", free_offset(), environment)
        try:
            suite.start()
            yield suite
        finally:
            suite.stop()


def free_offset() -> int:
    """An offset at which all of the suite's ports are free now."""
    while True:
        offset = random.randrange(3000, 20000, 10)
        if all(_is_free(port + offset) for port in DEFAULT_PORTS):
            return offset


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) != 0
