"""`nexus up`: the way from a folder to a running suite, and back. `cli.py` calls `run`; so does its background copy."""

import asyncio
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from typing import BinaryIO

from nexus_local import leftovers, ports, processes
from nexus_local.report import Report
from nexus_local.state import AlreadyRunning, DataFolder, Identity, State
from nexus_local.suite import Suite
from nexus_local.supervisor import Failed, Supervisor
from nexus_local.topology import topology

NEEDED_BYTES = 200_000_000
"""The stores of a fresh suite take half of it."""


def run(folder: DataFolder, *, port_offset: int | None, seed: bool, box: bool, report: Report) -> int:
    """Run the suite until a signal stops it. Returns the exit code."""
    os.umask(0o077)  # logs, mails and databases are for their owner alone
    folder.create()
    try:
        with folder.held():
            return _run_alone(folder, port_offset=port_offset, seed=seed, box=box, report=report)
    except AlreadyRunning:
        return _already_running(folder, box=box, report=report)


def _run_alone(folder: DataFolder, *, port_offset: int | None, seed: bool, box: bool, report: Report) -> int:
    began = time.monotonic()
    former = folder.read_state()
    if ended := leftovers.end(former):
        report.note(f"ended what an earlier run left behind: {', '.join(ended)}")
    offset = former.port_offset if port_offset is None else port_offset
    if not _may_start(folder, offset, report):
        return 1
    state = State(phase="starting", port_offset=offset, supervisor=Identity.of(os.getpid()))
    folder.write_state(state)
    suite = Suite.in_folder(folder)
    supervisor = Supervisor(topology(suite, seed=seed and not folder.seeded.exists()), folder, state, report)

    def when_ready() -> None:
        report.ready(time.monotonic() - began)
        if box:
            report.box(suite)

    failures = asyncio.run(_supervise(supervisor, when_ready))
    for failure in failures:
        report.failed(failure.name, failure.reason, folder.log(failure.name), failure.output)
    return 1 if failures else 0


def _may_start(folder: DataFolder, offset: int, report: Report) -> bool:
    free = shutil.disk_usage(folder.root).free
    if free < NEEDED_BYTES:
        report.refused(
            [f"the disk is full: {free // 1_000_000} MB are free at {folder.root}"],
            f"free at least {NEEDED_BYTES // 1_000_000} MB, or choose another --data-dir",
        )
        return False
    if taken := ports.busy(ports.with_offset(offset)):
        report.refused(map(str, taken), "end that program, or run beside it: nexus up --port-offset 1000")
        return False
    return True


async def _supervise(supervisor: Supervisor, when_ready: Callable[[], None]) -> list[Failed]:
    loop = asyncio.get_running_loop()
    for each in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        loop.add_signal_handler(each, supervisor.stop)
    return await supervisor.run(when_ready)


def _already_running(folder: DataFolder, *, box: bool, report: Report) -> int:
    state = folder.read_state()
    number = state.supervisor.pid if state.supervisor else "unknown"
    report.note(f"Nexus already runs in {folder.root} (pid {number}): {state.phase}")
    if state.phase != "ready":
        return 1
    if box:
        report.box(Suite.in_folder(folder))
    return 0


def detached(folder: DataFolder, *, port_offset: int | None, seed: bool, box: bool, report: Report) -> int:
    """Run the suite in the background; return when it is ready, or with the report of its failure."""
    os.umask(0o077)
    folder.create()
    log = folder.log("supervisor")
    processes.rotate(log)
    command = [sys.executable, "-m", "nexus_local.cli", "up", "--no-box", f"--data-dir={folder.root}"]
    command += [] if port_offset is None else [f"--port-offset={port_offset}"]
    command += [] if seed else ["--no-seed"]
    coloured = {"FORCE_COLOR": "1"} if sys.stdout.isatty() else {}
    with log.open("ab") as output, log.open("rb") as progress:
        progress.seek(0, os.SEEK_END)
        supervisor = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            env={**os.environ, **coloured},
        )
        code = _follow_until_ready(supervisor, folder, progress)
    if code == 0 and box:
        report.box(Suite.in_folder(folder))
    return code


def _follow_until_ready(supervisor: "subprocess.Popen[bytes]", folder: DataFolder, progress: BinaryIO) -> int:
    """Show what the background supervisor writes. Ctrl-C stops it, too."""
    try:
        while True:
            code, state = supervisor.poll(), folder.read_state()
            ready = state.phase == "ready" and state.supervisor and state.supervisor.pid == supervisor.pid
            sys.stdout.write(progress.read().decode(errors="replace"))
            sys.stdout.flush()
            if code is not None:
                return code
            if ready:
                return 0
            time.sleep(0.05)
    except KeyboardInterrupt:
        supervisor.terminate()
        supervisor.wait()
        return 130
