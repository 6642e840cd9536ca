"""Stops a suite from outside: `nexus down` and `nexus reset` call it."""

import os
import signal
import time

from nexus_local import leftovers
from nexus_local.report import Report
from nexus_local.state import DataFolder, State

PATIENCE_SECONDS = 90.0
"""More than all grace periods together."""


def stop(folder: DataFolder, report: Report) -> None:
    """Ask the supervisor to stop all, and wait; without a supervisor, end what it left."""
    began, state = time.monotonic(), folder.read_state()
    supervisor = state.supervisor if state.is_running() else None
    if supervisor:
        os.kill(supervisor.pid, signal.SIGTERM)
        while supervisor.is_alive() and time.monotonic() - began < PATIENCE_SECONDS:
            time.sleep(0.05)
        if supervisor.is_alive():
            report.note(f"the supervisor (pid {supervisor.pid}) did not end: killed")
            os.kill(supervisor.pid, signal.SIGKILL)
    ended = leftovers.end(folder.read_state())
    if ended:
        report.note(f"ended what an earlier run left behind: {', '.join(ended)}")
        folder.write_state(State(port_offset=state.port_offset))
    report.note(f"stopped in {time.monotonic() - began:.1f} s" if supervisor or ended else "nothing was running")
