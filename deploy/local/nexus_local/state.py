"""What is running now, written down so that other commands, and the next start, can find it.

The supervisor is the only writer. Whoever reads must expect that a power cut made all of it untrue.
"""

import fcntl
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path

import psutil

# A process's creation time is measured against the clock, which may be set a little meanwhile.
CLOCK_TOLERANCE_SECONDS = 2.0


class AlreadyRunning(Exception):
    """Another supervisor holds this data folder."""


@dataclass(frozen=True)
class Identity:
    """A process that cannot be mistaken for a later one with the same number."""

    pid: int
    created: float
    """Seconds since the epoch."""
    executable: str

    @classmethod
    def of(cls, pid: int) -> "Identity":
        """Who has this number now. Raises psutil.NoSuchProcess."""
        process = psutil.Process(pid)
        return cls(pid, process.create_time(), process.exe())

    def is_alive(self) -> bool:
        """Whether this very process still runs."""
        try:
            process = psutil.Process(self.pid)
            same = abs(process.create_time() - self.created) < CLOCK_TOLERANCE_SECONDS
            return same and process.status() != psutil.STATUS_ZOMBIE
        except psutil.NoSuchProcess:
            return False


@dataclass
class Record:
    """What is known of one process of the topology."""

    state: str = "waiting"
    """waiting, starting, ready, restarting, stopped; a one-shot ends as `done`."""
    restarts: int = 0
    identity: Identity | None = None
    """None while no process runs."""
    stop_signal: int = 15


@dataclass
class State:
    """One per data folder."""

    phase: str = "stopped"
    """starting, ready, stopping, stopped."""
    port_offset: int = 0
    supervisor: Identity | None = None
    processes: dict[str, Record] = field(default_factory=dict)

    def is_running(self) -> bool:
        """Whether the supervisor that wrote this is still there."""
        return self.supervisor is not None and self.supervisor.is_alive()


@dataclass(frozen=True)
class DataFolder:
    """Where one suite keeps everything: its databases, secrets, certificates, logs and this state."""

    root: Path

    @property
    def logs(self) -> Path:
        """One file per process."""
        return self.root / "logs"

    @property
    def secrets(self) -> Path:
        """Read by `secrets.py` alone."""
        return self.root / "secrets.json"

    @property
    def tls(self) -> Path:
        """Written by `tls.py`."""
        return self.root / "tls"

    @property
    def seeded(self) -> Path:
        """Exists once the demo data has been made."""
        return self.root / "seeded"

    @property
    def lock(self) -> Path:
        """Held by the supervisor; also the mark by which `reset` recognises a folder of ours."""
        return self.root / "supervisor.lock"

    @property
    def _state(self) -> Path:
        return self.root / "state.json"

    def create(self) -> None:
        """Make the folder, for its owner alone. (PostgreSQL's account may walk through when root starts the suite.)"""
        self.root.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.logs.mkdir(mode=0o700, exist_ok=True)

    def log(self, name: str) -> Path:
        """The log of one process."""
        return self.logs / f"{name}.log"

    def read_state(self) -> State:
        """The state as last written; an empty one when there is none or a power cut left half of it."""
        try:
            stored = json.loads(self._state.read_text())
            return State(
                phase=stored["phase"],
                port_offset=stored["port_offset"],
                supervisor=_identity(stored["supervisor"]),
                processes={
                    name: Record(**{**record, "identity": _identity(record["identity"])})
                    for name, record in stored["processes"].items()
                },
            )
        except (OSError, ValueError, KeyError, TypeError):
            return State()

    def write_state(self, state: State) -> None:
        """Replace the state in one step, so that a reader never sees half of it."""
        fresh = self._state.with_suffix(".new")
        fresh.write_text(json.dumps(asdict(state), indent=2))
        fresh.replace(self._state)

    @contextmanager
    def held(self) -> Iterator[None]:
        """Be the only supervisor of this folder. The kernel gives the lock back however we end."""
        descriptor = os.open(self.lock, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as held:
            raise AlreadyRunning from held
        else:
            yield
        finally:
            os.close(descriptor)


def _identity(stored: dict[str, object] | None) -> Identity | None:
    return Identity(**stored) if stored else None  # type: ignore[arg-type]
