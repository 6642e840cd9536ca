"""The machine loses its power: the next `nexus up` finds what was committed, and nothing of the old run in its way."""

import os
import signal

import psutil

from tests.actors import Actor, newcomers
from tests.suite import Suite, running_suite


async def test_after_a_power_cut_the_suite_starts_again_with_its_data() -> None:
    with running_suite() as suite:
        async with newcomers(suite, "Abeba") as (abeba,):
            cut_the_power(suite)
            suite.start()

            await abeba.sign_in()
            assert (await abeba.get("/auth/me"))["full_name"] == "Abeba"


async def test_leftovers_of_a_killed_supervisor_are_ended_by_the_next_start() -> None:
    with running_suite() as suite:
        os.kill(suite.status()["supervisor"]["pid"], signal.SIGKILL)
        suite.start()

        async with Actor(suite) as somebody:
            assert (await somebody.get("/listings"))["items"] == []


def cut_the_power(suite: Suite) -> None:
    """Everything dies at once, without a chance to say goodbye."""
    supervisor = psutil.Process(suite.status()["supervisor"]["pid"])
    for process in [supervisor, *supervisor.children(recursive=True)]:
        process.kill()
