"""Starts the topology in dependency order, restarts what dies, and stops it all in reverse order.

`nexus up` runs it; it knows processes and their order, and nothing of what they do.
"""

import asyncio
import subprocess
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import psutil

from nexus_local import processes
from nexus_local.processes import Process
from nexus_local.report import Report
from nexus_local.state import DataFolder, Identity, Record, State

PROBE_EVERY_SECONDS = 0.05
FIRST_DELAY_SECONDS = 0.2
LONGEST_DELAY_SECONDS = 10.0
STABLE_AFTER_SECONDS = 30.0


class Failed(Exception):
    """A process that the suite cannot start without did not become ready."""

    def __init__(self, name: str, reason: str, output: str = "") -> None:
        super().__init__(f"{name} {reason}")
        self.name = name
        self.reason = reason
        """What happened, as the end of a sentence that starts with the name."""
        self.output = output
        """What it said, if not in its log."""


def delay_before_restart(former: float, ran_for: float) -> float:
    """Doubles with every death, from 0.2 to 10 s; a process that ran for a while starts from the beginning."""
    if not former or ran_for > STABLE_AFTER_SECONDS:
        return FIRST_DELAY_SECONDS
    return min(former * 2, LONGEST_DELAY_SECONDS)


@dataclass
class _Child:
    process: Process
    record: Record
    ready: asyncio.Event = field(default_factory=asyncio.Event)
    """Has been ready once: what waits for it may start."""
    gone: asyncio.Event = field(default_factory=asyncio.Event)
    """Stopped for good: what it waited for may stop."""
    running: asyncio.subprocess.Process | None = None
    late: bool = False


class Supervisor:
    """One run of the suite."""

    def __init__(self, topology: Sequence[Process], folder: DataFolder, state: State, report: Report) -> None:
        self._children = {process.name: _Child(process, Record(stop_signal=process.stop)) for process in topology}
        self._folder = folder
        self._state = state
        self._state.processes = {name: child.record for name, child in self._children.items()}
        self._report = report
        self._stopping = asyncio.Event()

    def stop(self) -> None:
        """Begin to stop. A second time: at once, without grace."""
        if self._stopping.is_set():
            for child in self._children.values():
                self._kill(child)
        self._stopping.set()

    async def run(self, when_ready: Callable[[], None]) -> list[Failed]:
        """Run until `stop`, or until something does not start: that is returned. All is stopped in either case."""
        failures: list[Failed] = []
        self._phase("starting")
        try:
            async with asyncio.TaskGroup() as tasks:
                work = [tasks.create_task(self._keep(child)) for child in self._children.values()]
                work.append(tasks.create_task(self._announce(when_ready)))
                await self._stopping.wait()
                for task in work:
                    task.cancel()
        except* Failed as failed:
            failures += [each for each in failed.exceptions if isinstance(each, Failed)]
        finally:
            self._phase("stopping")
            self._report.note("stopping")
            await asyncio.gather(*(self._stop_one(child) for child in self._children.values()))
            self._state.supervisor = None
            self._phase("stopped")
            self._report.note("stopped")
        return failures

    async def _announce(self, when_ready: Callable[[], None]) -> None:
        for child in self._children.values():
            await child.ready.wait()
        self._phase("ready")
        when_ready()

    async def _keep(self, child: _Child) -> None:
        name, delay = child.process.name, 0.0
        await self._prepare(child.process)
        for other in child.process.after:
            await self._children[other].ready.wait()
        while True:
            began = time.monotonic()
            code = await self._run_once(child)
            if child.process.ready is None and code == 0:
                child.ready.set()
                self._record(child, "done")
                self._report.done(name, time.monotonic() - began)
                return
            if not child.ready.is_set():
                raise Failed(name, _how_it_ended(child, code))
            delay = delay_before_restart(delay, time.monotonic() - began)
            child.record.restarts += 1
            self._record(child, "restarting")
            self._report.died(name, _how_it_ended(child, code), delay)
            await asyncio.sleep(delay)

    async def _prepare(self, process: Process) -> None:
        try:
            await asyncio.to_thread(process.prepare)
        except subprocess.CalledProcessError as error:
            reason = f"could not be prepared: {Path(error.cmd[0]).name} ended with exit code {error.returncode}"
            raise Failed(process.name, reason, f"{error.stdout or ''}{error.stderr or ''}") from error
        except OSError as error:
            raise Failed(process.name, f"could not be prepared: {error}") from error

    async def _run_once(self, child: _Child) -> int:
        log = self._folder.log(child.process.name)
        processes.rotate(log)
        child.late = False
        try:
            child.running = await processes.start(child.process, log)
        except OSError as error:
            raise Failed(child.process.name, f"could not be started: {error}") from error
        self._record(child, "starting")
        probing = asyncio.create_task(self._watch_for_readiness(child, time.monotonic()))
        try:
            code = await child.running.wait()
        finally:
            probing.cancel()
        processes.end_group(child.running.pid)
        return code

    async def _watch_for_readiness(self, child: _Child, began: float) -> None:
        process = child.process
        if process.ready is None:
            return
        while not await process.ready():
            if time.monotonic() - began > process.ready_within_seconds and not child.late:
                child.late = True
                self._kill(child)
            await asyncio.sleep(PROBE_EVERY_SECONDS)
        child.late = False
        self._record(child, "ready")
        if child.ready.is_set():
            self._report.back(process.name, time.monotonic() - began)
        else:
            child.ready.set()
            self._report.done(process.name, time.monotonic() - began)

    async def _stop_one(self, child: _Child) -> None:
        for other in self._children.values():
            if child.process.name in other.process.after:
                await other.gone.wait()
        if child.running and child.running.returncode is None:
            child.running.send_signal(child.process.stop)
            try:
                async with asyncio.timeout(child.process.grace_seconds):
                    await child.running.wait()
            except TimeoutError:
                self._report.note(f"{child.process.name} did not stop in {child.process.grace_seconds:.0f} s: killed")
                self._kill(child)
                await child.running.wait()
            processes.end_group(child.running.pid)
        if child.record.state != "done":
            self._record(child, "stopped")
        child.gone.set()

    def _kill(self, child: _Child) -> None:
        if child.running and child.running.returncode is None:
            processes.end_group(child.running.pid)

    def _record(self, child: _Child, state: str) -> None:
        child.record.state = state
        alive = child.running if child.running and child.running.returncode is None else None
        try:
            child.record.identity = Identity.of(alive.pid) if alive else None
        except psutil.NoSuchProcess:
            child.record.identity = None
        self._save()

    def _phase(self, phase: str) -> None:
        self._state.phase = phase
        self._save()

    def _save(self) -> None:
        try:
            self._folder.write_state(self._state)
        except OSError as error:  # a full disk must not end what still runs
            self._report.note(f"the state could not be written: {error}")


def _how_it_ended(child: _Child, code: int) -> str:
    if child.late:
        return f"was not ready after {child.process.ready_within_seconds:.0f} s"
    return f"was ended by signal {-code}" if code < 0 else f"ended with exit code {code}"
