"""What it takes to have the suite running: the time of a warm start, and the memory of an idle one."""

import time
from collections.abc import Iterator

import psutil

from tests.bench.measure import Bench, Result, at_most
from tests.suite import Suite

MIB = 1024 * 1024


def measured(bench: Bench) -> Iterator[Result]:
    """A start counts from `nexus up` to ready, with data, certificates and virtual environment in place. Memory counts
    what processes share once (PSS), after some rest."""
    yield at_most("warm `make up` to ready, seconds", warm_start(bench.suite), 10)
    yield at_most("idle suite, MiB resident", resident(bench.suite) / MIB, 1.2 * 1024)


def warm_start(suite: Suite) -> float:
    """Seconds."""
    suite.stop()
    started = time.perf_counter()
    suite.start()
    return time.perf_counter() - started


def resident(suite: Suite) -> int:
    """Bytes of all processes together."""
    time.sleep(20)
    supervisor = psutil.Process(suite.status()["supervisor"]["pid"])
    processes = [supervisor, *supervisor.children(recursive=True)]
    return sum(process.memory_full_info().pss for process in processes)
