"""What the `nexus` command says: refusals that name the culprit, failures that say what to do, and a doctor."""

import io
import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from nexus_local import ports
from nexus_local.report import Report, hint
from rich.console import Console

NEXUS = Path(sys.executable).with_name("nexus")


def nexus(*arguments: str | Path) -> "subprocess.CompletedProcess[str]":
    return subprocess.run([NEXUS, *arguments], capture_output=True, text=True, timeout=60, check=False)


@pytest.fixture
def taken() -> Iterator[tuple[int, int]]:
    """An offset at which somebody (this process) holds the port of `auth`, and that port."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        port = listener.getsockname()[1]
        yield port - ports.DEFAULT_PORTS["auth"], port


def test_a_busy_port_is_named_at_once_with_who_wants_it_and_who_holds_it(
    taken: tuple[int, int], tmp_path: Path
) -> None:
    offset, port = taken

    answer = nexus("up", f"--data-dir={tmp_path}", f"--port-offset={offset}")

    assert answer.returncode == 1
    said = " ".join(answer.stdout.split())
    assert f"port {port}, which auth needs, is held by" in said
    assert f"(pid {os.getpid()})" in said
    assert "What to do:" in said


def test_connections_of_an_earlier_run_do_not_make_a_port_busy() -> None:
    with socket.socket() as server:
        server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # as every server of ours does
        server.bind(("127.0.0.1", 0))
        server.listen()
        port = server.getsockname()[1]
        with socket.create_connection(("127.0.0.1", port)):
            served, _ = server.accept()
            served.close()  # who closes first is left in TIME_WAIT

    assert ports.busy({"auth": port}) == []


def test_the_port_offset_moves_every_port() -> None:
    moved = ports.with_offset(1000)

    assert {name: port - 1000 for name, port in moved.items()} == ports.DEFAULT_PORTS
    assert len(set(moved.values())) == len(moved)


def test_where_there_is_no_suite_the_commands_say_so(tmp_path: Path) -> None:
    answer = nexus("status", f"--data-dir={tmp_path}")

    assert answer.returncode == 1
    assert "nexus up" in answer.stdout


def test_reset_does_not_delete_a_folder_that_is_not_ours(tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("years of work")

    answer = nexus("reset", f"--data-dir={tmp_path}")

    assert answer.returncode == 1
    assert (tmp_path / "thesis.txt").exists()


def test_down_where_nothing_runs_is_no_error(tmp_path: Path) -> None:
    answer = nexus("down", f"--data-dir={tmp_path}")

    assert answer.returncode == 0
    assert "nothing was running" in answer.stdout


def test_the_doctor_finds_this_machine_well(tmp_path: Path) -> None:
    answer = nexus("doctor", f"--data-dir={tmp_path}", "--port-offset=23000")

    assert "failed" not in answer.stdout
    assert answer.returncode == 0
    for subject in ("Python", "PostgreSQL", "Valkey", "nginx", "disk", "clock", "ports"):
        assert subject in answer.stdout


def test_the_doctor_tells_what_to_do_about_a_busy_port(taken: tuple[int, int], tmp_path: Path) -> None:
    offset, port = taken

    answer = nexus("doctor", f"--data-dir={tmp_path}", f"--port-offset={offset}")

    assert answer.returncode == 1
    assert f"port {port}" in answer.stdout


@pytest.mark.parametrize(
    ("said", "advice"),
    [
        ("postgres: error while loading shared libraries: libz.so.1: cannot open shared object file", "libz.so.1"),
        ("initdb: error: could not write file: No space left on device", "disk is full"),
        ("bind() to 127.0.0.1:8443 failed (98: Address already in use)", "nexus doctor"),
        ("could not be started: [Errno 8] Exec format error: 'valkey-server'", "another kind of machine"),
        ("ModuleNotFoundError: No module named 'aiosmtpd'", "make venv"),
        ("was ended by signal 9", "memory"),
        ("something nobody has thought of", "nexus doctor"),
    ],
)
def test_a_failure_says_what_to_do(said: str, advice: str) -> None:
    assert advice in hint(said)


def test_a_failure_shows_the_last_twenty_lines_of_the_log(tmp_path: Path) -> None:
    log = tmp_path / "api.log"
    log.write_text("".join(f"line {number}\n" for number in range(1, 31)))
    said = io.StringIO()

    Report(Console(file=said, width=200)).failed("api", "ended with exit code 3", log)

    assert "✗ api ended with exit code 3" in said.getvalue()
    assert "line 10\n" not in said.getvalue()
    assert "line 11\n" in said.getvalue()
    assert "line 30\n" in said.getvalue()
