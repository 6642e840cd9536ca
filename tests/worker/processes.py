"""A worker and a Valkey as processes that a test may kill and start again, with the command that production uses."""

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import redis
from nexus_local import valkey

from tests.servers import PASSWORD, free_port

START_SECONDS = 30


@dataclass
class Killable:
    """One process on one port."""

    command: list[str]
    log: Path
    is_ready: Callable[[], bool]
    environment: dict[str, str] = field(default_factory=dict)
    process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it, for the first time or again, and wait until it is ready."""
        with self.log.open("ab") as log:
            environment = {**os.environ, **self.environment}
            self.process = subprocess.Popen(self.command, stdout=log, stderr=log, env=environment)
        deadline = time.monotonic() + START_SECONDS
        while not self.is_ready():
            if time.monotonic() > deadline or self.process.poll() is not None:
                raise RuntimeError(f"{self.command!r} does not start:\n{self.log.read_text()[-3000:]}")
            time.sleep(0.05)

    def kill(self) -> None:
        """SIGKILL: it learns nothing of it."""
        assert self.process is not None
        self.process.kill()
        self.process.wait()

    def terminate(self) -> int:
        """SIGTERM, and its exit code once it has put its things in order."""
        assert self.process is not None
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(START_SECONDS)

    @contextlib.contextmanager
    def running(self) -> Iterator["Killable"]:
        """Started, and in any case gone when the block ends."""
        try:
            self.start()
            yield self
        finally:
            self.kill()


def durable_valkey(folder: Path) -> tuple[Killable, str]:
    """As the suite runs it; and its URL without a database."""
    port = free_port()
    url = f"redis://:{PASSWORD}@127.0.0.1:{port}"

    def is_ready() -> bool:
        with contextlib.suppress(redis.ConnectionError), redis.Redis.from_url(url) as client:
            return bool(client.ping())
        return False

    return Killable(valkey.command(folder / "valkey", port, PASSWORD), folder / "valkey.log", is_ready), url


def worker(folder: Path, environment: dict[str, str]) -> Killable:
    """As the suite runs it."""
    port = free_port()
    arguments = ("--host=127.0.0.1", f"--port={port}", "--loop=uvloop", "--http=httptools", "--no-access-log")
    command = [sys.executable, "-m", "uvicorn", "--factory", "nexus_worker.main:build", *arguments]

    def is_ready() -> bool:
        with contextlib.suppress(httpx.TransportError):
            return httpx.get(f"http://127.0.0.1:{port}/readyz").is_success
        return False

    return Killable([*command, "--timeout-graceful-shutdown=10"], folder / "worker.log", is_ready, environment)
