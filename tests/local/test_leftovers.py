"""What a killed supervisor leaves behind is ended by the next start, and nobody else's process is touched."""

import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import psutil
import pytest
from nexus_local import leftovers
from nexus_local.state import Identity, Record, State

from tests.local.processes import World

SLEEP = [sys.executable, "-S", "-c", "import time; time.sleep(60)"]
SUPERVISE = """
import asyncio, pathlib, sys
from nexus_local.supervisor import Supervisor
from tests.local.processes import World
world = World(pathlib.Path(sys.argv[1]))
asyncio.run(Supervisor([world.process("api")], world.folder, world.state, world.report).run(lambda: None))
"""


@pytest.fixture
def sleeper() -> Iterator["subprocess.Popen[bytes]"]:
    """A process of its own group that does nothing."""
    with subprocess.Popen(SLEEP, start_new_session=True) as process:
        yield process
        process.kill()


def state_with(identity: Identity) -> State:
    return State(processes={"api": Record("ready", identity=identity)})


def test_a_process_that_is_still_there_is_ended(sleeper: "subprocess.Popen[bytes]") -> None:
    ended = leftovers.end(state_with(Identity.of(sleeper.pid)))

    assert ended == ["api"]
    assert sleeper.wait(timeout=5) == -15


def test_a_process_that_only_has_the_same_number_is_left_alone(sleeper: "subprocess.Popen[bytes]") -> None:
    now = Identity.of(sleeper.pid)
    former = replace(now, created=now.created - 60, executable="/usr/sbin/nginx")

    ended = leftovers.end(state_with(former))

    assert ended == []
    assert sleeper.poll() is None


def test_numbers_from_before_the_machine_started_mean_nothing(sleeper: "subprocess.Popen[bytes]") -> None:
    former = replace(Identity.of(sleeper.pid), created=psutil.boot_time() - 60)

    ended = leftovers.end(state_with(former))

    assert ended == []
    assert sleeper.poll() is None


def test_workers_of_a_master_that_is_gone_are_ended() -> None:
    master = subprocess.Popen(
        [sys.executable, "-S", "-c", f"import subprocess; print(subprocess.Popen({SLEEP}).pid, flush=True); input()"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        start_new_session=True,
    )
    with master:
        assert master.stdout is not None
        worker = Identity.of(int(master.stdout.readline()))
        identity = Identity.of(master.pid)
        master.kill()

    ended = leftovers.end(state_with(identity))

    assert ended == ["api"]
    assert not worker.is_alive()


def test_nothing_is_left_of_a_suite_whose_supervisor_was_killed(tmp_path: Path) -> None:
    world = World(tmp_path)
    with subprocess.Popen([sys.executable, "-c", SUPERVISE, str(tmp_path)]) as supervisor:
        eventually(lambda: world.folder.read_state().phase == "ready")
        supervisor.kill()
    state = world.folder.read_state()

    leftovers.end(state)

    identity = state.processes["api"].identity
    assert identity is not None
    assert not identity.is_alive()
    assert not state.is_running()


def eventually(true: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 10
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.02)
