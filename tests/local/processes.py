"""Small real processes for the supervisor's tests: each writes what happens to it into one diary."""

import asyncio
import io
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from nexus_local.processes import Process
from nexus_local.report import Report
from nexus_local.state import DataFolder, State
from nexus_local.supervisor import Failed, Supervisor
from rich.console import Console

_CHILD = """
import pathlib, signal, sys, time
diary, name, then = pathlib.Path(sys.argv[1]), sys.argv[2], sys.argv[3]
def write(word):
    with diary.open("a") as out: out.write(f"{name} {word}\\n")
def leave(*_):
    write("stopped")
    sys.exit(0)
signal.signal(signal.SIGTERM, signal.SIG_IGN if then == "be stubborn" else leave)
if then == "fail":
    print("I cannot work like this", flush=True)
    sys.exit(3)
write("started")
if then == "finish": sys.exit(0)
while True: time.sleep(0.01)
"""


class World:
    """A data folder, a diary, and a supervisor that runs the given processes."""

    def __init__(self, root: Path) -> None:
        self.folder = DataFolder(root)
        self.folder.create()
        self.diary = root / "diary"
        self.diary.touch()
        self.said = io.StringIO()
        self.report = Report(Console(file=self.said, width=200))
        self.state = State()

    def process(self, name: str, then: str = "live", **how: Any) -> Process:
        """A process that does as told; unless it finishes by itself, it is ready once it has written `started`."""
        command = [sys.executable, "-S", "-c", _CHILD, str(self.diary), name, then]

        async def ready() -> bool:
            return self.entries.count(f"{name} started") > self.state.processes[name].restarts

        return Process(name, command, None if then == "finish" else ready, **how)

    @property
    def entries(self) -> list[str]:
        """What has happened so far, such as `api started`."""
        return self.diary.read_text().splitlines()

    def pid(self, name: str) -> int:
        """The number of a process that runs now."""
        identity = self.state.processes[name].identity
        assert identity is not None
        return identity.pid

    async def until_state(self, name: str, state: str, restarts: int = 0) -> None:
        """Wait for what the record says."""
        async with asyncio.timeout(10):
            while True:
                record = self.state.processes[name]
                if record.state == state and record.restarts >= restarts:
                    return
                await asyncio.sleep(0.01)

    async def run(self, *processes: Process) -> list[Failed]:
        """Run until something fails, or all is ready; then stop."""
        supervisor = Supervisor(processes, self.folder, self.state, self.report)
        return await supervisor.run(when_ready=supervisor.stop)

    @asynccontextmanager
    async def running(self, *processes: Process) -> AsyncIterator[Supervisor]:
        """Ready on entry, stopped on exit."""
        ready = asyncio.Event()
        supervisor = Supervisor(processes, self.folder, self.state, self.report)
        run = asyncio.create_task(supervisor.run(when_ready=ready.set))
        async with asyncio.timeout(10):
            await ready.wait()
        yield supervisor
        supervisor.stop()
        assert await run == []
