"""How processes are started, restarted and stopped, with small real ones."""

import asyncio
import os
import signal
import subprocess
import sys
from pathlib import Path

import psutil
import pytest
from nexus_local.processes import ROTATE_ABOVE_BYTES, Process
from nexus_local.supervisor import delay_before_restart

from tests.local.processes import World


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


async def test_a_process_starts_when_what_it_waits_for_is_ready_and_stops_before_it(world: World) -> None:
    store, api, door = (
        world.process("store"),
        world.process("api", after=("store",)),
        world.process("door", after=("api",)),
    )

    failures = await world.run(door, api, store)

    assert failures == []
    assert world.entries == [
        "store started",
        "api started",
        "door started",
        "door stopped",
        "api stopped",
        "store stopped",
    ]


async def test_a_one_shot_is_finished_before_what_waits_for_it_starts(world: World) -> None:
    await world.run(world.process("api", after=("migrations",)), world.process("migrations", "finish"))

    assert world.entries[:2] == ["migrations started", "api started"]
    assert world.state.processes["migrations"].state == "done"


async def test_files_are_prepared_before_anything_is_waited_for(world: World) -> None:
    def prepare() -> None:
        with world.diary.open("a") as diary:
            diary.write("api prepared\n")

    await world.run(world.process("store"), world.process("api", after=("store",), prepare=prepare))

    assert world.entries.index("api prepared") < world.entries.index("api started")


async def test_a_killed_process_is_started_again_and_counted(world: World) -> None:
    async with world.running(world.process("api")):
        first = world.pid("api")

        os.kill(first, signal.SIGKILL)
        await world.until_state("api", "ready", restarts=1)

        assert world.pid("api") != first
        assert world.entries == ["api started", "api started"]
    assert "api was ended by signal 9; starting it again in 0.2 s" in world.said.getvalue()


async def test_what_waited_for_a_process_goes_on_while_it_is_restarted(world: World) -> None:
    async with world.running(world.process("store"), world.process("api", after=("store",))):
        api = world.pid("api")

        os.kill(world.pid("store"), signal.SIGKILL)
        await world.until_state("store", "ready", restarts=1)

        assert world.pid("api") == api


def test_each_death_doubles_the_delay_up_to_ten_seconds_and_a_quiet_time_forgives() -> None:
    delays = [0.0]
    for _ in range(8):
        delays.append(delay_before_restart(delays[-1], ran_for=0.1))

    assert delays[1:] == [0.2, 0.4, 0.8, 1.6, 3.2, 6.4, 10.0, 10.0]
    assert delay_before_restart(10.0, ran_for=60) == 0.2


async def test_what_a_killed_process_left_in_its_group_is_ended_too(world: World) -> None:
    parent = (
        "import subprocess, sys, time; subprocess.Popen([sys.executable, '-S', '-c', 'import time; time.sleep(60)']);"
    )

    async def has_a_child() -> bool:
        return bool(psutil.Process(world.pid("nginx")).children())

    process = Process("nginx", [sys.executable, "-S", "-c", f"{parent} time.sleep(60)"], has_a_child)
    async with world.running(process):
        (child,) = psutil.Process(world.pid("nginx")).children()

        os.kill(world.pid("nginx"), signal.SIGKILL)
        await world.until_state("nginx", "ready", restarts=1)

        assert not child.is_running() or child.status() == psutil.STATUS_ZOMBIE


async def test_a_process_that_fails_at_the_start_is_named_with_its_exit_code_and_the_rest_is_stopped(
    world: World,
) -> None:
    (failure,) = await world.run(world.process("store"), world.process("api", "fail", after=("store",)))

    assert str(failure) == "api ended with exit code 3"
    assert "I cannot work like this" in world.folder.log("api").read_text()
    assert world.entries == ["store started", "store stopped"]
    assert world.folder.read_state().phase == "stopped"


async def test_a_process_that_is_never_ready_fails_the_start(world: World) -> None:
    async def never() -> bool:
        return False

    process = Process(
        "api", [sys.executable, "-S", "-c", "import time; time.sleep(60)"], never, ready_within_seconds=0.2
    )
    (failure,) = await world.run(process)

    assert str(failure) == "api was not ready after 0 s"


async def test_a_program_that_cannot_be_run_fails_the_start(world: World, tmp_path: Path) -> None:
    foreign = tmp_path / "program"
    foreign.write_bytes(b"\x7fELF of another machine")
    foreign.chmod(0o700)

    (failure,) = await world.run(Process("store", [str(foreign)]))

    assert "could not be started" in failure.reason
    assert "Exec format error" in failure.reason


async def test_a_failing_preparation_fails_the_start_with_what_it_said(world: World) -> None:
    def prepare() -> None:
        subprocess.run(["sh", "-c", "echo no such locale >&2; exit 2"], check=True, capture_output=True, text=True)

    (failure,) = await world.run(world.process("store", prepare=prepare))

    assert failure.reason == "could not be prepared: sh ended with exit code 2"
    assert failure.output == "no such locale\n"


async def test_a_process_that_ignores_its_stop_signal_is_killed_after_its_grace(world: World) -> None:
    failures = await world.run(world.process("api", "be stubborn", grace_seconds=0.2))

    assert failures == []
    assert world.entries == ["api started"]
    assert "api did not stop in 0 s: killed" in world.said.getvalue()


async def test_a_second_stop_does_not_wait(world: World) -> None:
    async with world.running(world.process("api", "be stubborn", grace_seconds=60)) as supervisor:
        supervisor.stop()
        await asyncio.sleep(0.1)


async def test_a_log_that_has_grown_is_put_aside_at_the_next_start(world: World) -> None:
    log = world.folder.log("api")
    log.write_bytes(b"x" * (ROTATE_ABOVE_BYTES + 1))

    await world.run(world.process("api"))

    assert log.stat().st_size == 0
    assert log.with_suffix(".log.1").stat().st_size == ROTATE_ABOVE_BYTES + 1
