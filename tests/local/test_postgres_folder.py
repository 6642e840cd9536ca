"""The database folder survives interruptions: of its making, and of the machine."""

import os
import subprocess
import time
from pathlib import Path

import pytest
from nexus_local import postgres
from nexus_local.unprivileged import server_identity

from tests.servers import free_port


@pytest.fixture
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Path:
    cluster = tmp_path_factory.mktemp("database") / "postgres"
    postgres.initialise(cluster, "secret")
    return cluster


def test_an_interrupted_making_is_begun_again(tmp_path: Path) -> None:
    half = tmp_path / "postgres.new"
    half.mkdir()
    (half / "PG_VERSION").write_text("18\n")

    postgres.initialise(tmp_path / "postgres", "secret")

    assert (tmp_path / "postgres" / "global" / "pg_control").exists()
    assert not half.exists()


def test_a_lock_that_names_a_stranger_is_removed(cluster: Path) -> None:
    lock = cluster / "postmaster.pid"
    lock.write_text(f"{os.getpid()}\n{cluster}\n")

    postgres.release(cluster)

    assert not lock.exists()


def test_a_server_that_nobody_remembers_is_ended(cluster: Path) -> None:
    command = postgres.command(cluster, free_port())
    with subprocess.Popen(command, cwd="/", stderr=subprocess.DEVNULL, **server_identity()) as forgotten:
        while not (cluster / "postmaster.pid").exists():
            time.sleep(0.02)

        postgres.release(cluster)

        assert forgotten.wait(timeout=5) == 0
    assert not (cluster / "postmaster.pid").exists()
