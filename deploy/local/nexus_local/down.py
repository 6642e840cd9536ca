"""Stops a suite from outside: `nexus down` and `nexus reset` call it."""

import os
import signal
import time

import psutil

from nexus_local import leftovers
from nexus_local.report import Report
from nexus_local.state import DataFolder, State

PATIENCE_SECONDS = 90.0
"""More than all grace periods together."""


def stop(folder: DataFolder, report: Report) -> None:
    """Ask the supervisor to stop all, and wait; without a supervisor, end what it left."""
    began, state = time.monotonic(), folder.read_state()
    if state.supervisor and state.is_running():
        os.kill(state.supervisor.pid, signal.SIGTERM)
        psutil.wait_procs([psutil.Process(state.supervisor.pid)], timeout=PATIENCE_SECONDS)
    ended = leftovers.end(folder.read_state())
    if ended:
        report.note(f"ended what an earlier run left behind: {', '.join(ended)}")
        folder.write_state(State(port_offset=state.port_offset))
    report.note(f"stopped in {time.monotonic() - began:.1f} s" if state.is_running() or ended else "nothing is running")
