"""Ends what an earlier run left behind: its supervisor was killed, or the platform cannot tell children of it.

`nexus up` and `nexus down` call it. Only processes of this data folder are touched, never one that reuses a number.
"""

import signal
from collections.abc import Iterator
from contextlib import suppress

import psutil

from nexus_local.processes import members
from nexus_local.state import Record, State

GRACE_SECONDS = 10.0


def end(state: State) -> list[str]:
    """End every process of the state that is still alive, politely first. Returns their names."""
    left = [(name, process, record) for name, record in state.processes.items() for process in _alive(record)]
    for _, process, record in left:
        with suppress(psutil.NoSuchProcess):
            process.send_signal(signal.Signals(record.stop_signal))
    _, stubborn = psutil.wait_procs([process for _, process, _ in left], timeout=GRACE_SECONDS)
    for process in stubborn:
        with suppress(psutil.NoSuchProcess):
            process.kill()
    psutil.wait_procs(stubborn, timeout=GRACE_SECONDS)
    return sorted({name for name, _, _ in left})


def _alive(record: Record) -> Iterator[psutil.Process]:
    if record.identity is None or record.identity.created < psutil.boot_time():
        return
    if record.identity.is_alive():
        with suppress(psutil.NoSuchProcess):
            yield psutil.Process(record.identity.pid)
    else:
        yield from members(record.identity.pid, record.identity.executable)
