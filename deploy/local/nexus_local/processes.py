"""What a process of the suite is, and how one is started so that it never outlives the suite unnoticed.

The topology lists processes; the supervisor starts them.
"""

import asyncio
import ctypes
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import psutil

from nexus_local.probes import Probe
from nexus_local.state import Identity
from nexus_local.unprivileged import Identity as Account

ROTATE_ABOVE_BYTES = 10_000_000


def _nothing_to_prepare() -> None:
    pass


@dataclass(frozen=True)
class Process:
    """One line of the topology."""

    name: str
    command: list[str]
    ready: Probe | None = None
    """How readiness is known; None means a one-shot, which is ready when it has ended with 0."""
    after: tuple[str, ...] = ()
    """What must be ready before it starts, and is stopped only after it."""
    environment: Mapping[str, str] = field(default_factory=dict)
    """On top of ours."""
    prepare: Callable[[], None] = _nothing_to_prepare
    """Makes the files it needs, once, in a thread, before anything of `after` is awaited."""
    url: str = ""
    stop: signal.Signals = signal.SIGTERM
    grace_seconds: float = 15.0
    """From the stop signal to SIGKILL."""
    ready_within_seconds: float = 60.0
    account: Account = field(default_factory=Account)
    directory: Path = field(default_factory=Path.cwd)


async def start(process: Process, log: Path) -> asyncio.subprocess.Process:
    """Start it in a process group of its own, writing to its log. Raises OSError."""
    with log.open("ab") as output:
        return await asyncio.create_subprocess_exec(
            *process.command,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            env={**os.environ, "PYTHONUNBUFFERED": "1", **process.environment},
            cwd=process.directory,
            start_new_session=True,  # the terminal's Ctrl-C reaches the supervisor alone, which stops all in order
            preexec_fn=_die_with_parent(process.stop),
            **process.account,
        )


def rotate(log: Path) -> None:
    """Keep one former log of each process."""
    if log.exists() and log.stat().st_size > ROTATE_ABOVE_BYTES:
        log.replace(log.with_suffix(".log.1"))


def end_group(leader: int) -> None:
    """End what a process left in its group: nginx's workers outlive a killed master and keep its ports."""
    with suppress(ProcessLookupError):
        os.killpg(leader, signal.SIGKILL)


def members(leader: Identity) -> list[psutil.Process]:
    """What lives on in the group of a process that is gone: only the same program, never a stranger."""
    found = []
    for process in psutil.process_iter():
        with suppress(psutil.Error, ProcessLookupError):
            if os.getpgid(process.pid) == leader.pid and process.exe() == leader.executable:
                found.append(process)
    return found


def _die_with_parent(stop: signal.Signals) -> Callable[[], None] | None:
    """On Linux a child asks for its stop signal when the supervisor dies; elsewhere the next start cleans up."""
    if sys.platform != "linux":
        return None
    return lambda: _LIBC.prctl(_PR_SET_PDEATHSIG, int(stop))


_PR_SET_PDEATHSIG = 1
# Loaded before any fork: a forked child may not load libraries.
_LIBC = ctypes.CDLL(None)
