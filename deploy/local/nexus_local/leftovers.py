"""Ends what an earlier run left behind: its supervisor was killed, or the platform cannot tell children of it.

`nexus up` and `nexus down` call it. Only processes of this data folder are touched, never one that reuses a number.
"""

import time
from collections.abc import Iterator
from contextlib import suppress

import psutil

from nexus_local.processes import members
from nexus_local.state import Record, State

GRACE_SECONDS = 10.0


def end(state: State) -> list[str]:
    """End every process of the state that is still alive, politely first. Returns their names."""
    left = {name: record for name, record in state.processes.items() if any(_alive(record))}
    for record in left.values():
        _signal(record, record.stop_signal)
    deadline = time.monotonic() + GRACE_SECONDS
    while any(any(_alive(record)) for record in left.values()):
        if time.monotonic() > deadline:
            for record in left.values():
                _signal(record, 9)
        time.sleep(0.05)
    return sorted(left)


def _signal(record: Record, number: int) -> None:
    for process in _alive(record):
        with suppress(psutil.NoSuchProcess):
            process.send_signal(number)


def _alive(record: Record) -> Iterator[psutil.Process]:
    if record.identity is None or record.identity.created < psutil.boot_time():
        return
    if record.identity.is_alive():
        with suppress(psutil.NoSuchProcess):
            yield psutil.Process(record.identity.pid)
    else:
        yield from members(record.identity)
