"""The mail catcher and the payment simulator as processes on free ports, stopped when the block ends.

Tests of both use it, and so may any test that needs a provider to talk to.
"""

import contextlib
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx

from tests.servers import free_port

START_SECONDS = 20
SECRET_KEY = "CHASECK_TEST-only-in-tests"
WEBHOOK_SECRET = "webhook-only-in-tests"


@dataclass(frozen=True)
class MailCatcher:
    """A running mail catcher."""

    url: str
    smtp_port: int
    process: subprocess.Popen[bytes]


@dataclass(frozen=True)
class PaymentSimulator:
    """A running payment simulator."""

    url: str
    process: subprocess.Popen[bytes]


@contextlib.contextmanager
def running_mail_catcher(data: Path) -> Iterator[MailCatcher]:
    """`python -m nexus_local.mail`, ready."""
    smtp_port, http_port = free_port(), free_port()
    url = f"http://127.0.0.1:{http_port}"
    arguments = ["--data", str(data), "--smtp-port", str(smtp_port), "--http-port", str(http_port)]
    with _running("nexus_local.mail", arguments, {}, url) as process:
        yield MailCatcher(url, smtp_port, process)


@contextlib.contextmanager
def running_payment_simulator(
    data: Path, webhook_url: str, *, retry_seconds: float = 0.2, attempts: int = 30, port: int | None = None
) -> Iterator[PaymentSimulator]:
    """`python -m nexus_local.payments`, ready; its keys are `SECRET_KEY` and `WEBHOOK_SECRET`."""
    port = port or free_port()
    url = f"http://127.0.0.1:{port}"
    arguments = ["--data", str(data), "--port", str(port), "--public-url", url, "--webhook-url", webhook_url]
    arguments += ["--retry-seconds", str(retry_seconds), "--attempts", str(attempts)]
    secrets = {"NEXUS_CHAPA_SECRET_KEY": SECRET_KEY, "NEXUS_CHAPA_WEBHOOK_SECRET": WEBHOOK_SECRET}
    with _running("nexus_local.payments", arguments, secrets, url) as process:
        yield PaymentSimulator(url, process)


@contextlib.contextmanager
def _running(
    module: str, arguments: list[str], environment: dict[str, str], url: str
) -> Iterator[subprocess.Popen[bytes]]:
    process = subprocess.Popen([sys.executable, "-m", module, *arguments], env={**os.environ, **environment})
    try:
        _await_readiness(process, f"{url}/readyz")
        yield process
    finally:
        process.terminate()
        process.wait(10)


def _await_readiness(process: subprocess.Popen[bytes], url: str) -> None:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        with contextlib.suppress(httpx.TransportError):
            if httpx.get(url).status_code == 200:
                return
        time.sleep(0.02)
    raise RuntimeError(f"{process.args!r} does not become ready")
