"""A worker of which a part has ended does not pretend to be well."""

import asyncio
import signal

import pytest
from nexus_kit.testing import Service
from nexus_worker.broker import make_broker
from nexus_worker.job import open_tools
from nexus_worker.loop import reading

pytestmark = pytest.mark.asyncio(loop_scope="function")


@pytest.mark.parametrize("part", ["reader", "chores"])
async def test_when_a_part_ends_unasked_the_process_ends_so_that_it_is_started_again(
    service: Service, part: str
) -> None:
    settings = service.app.state.runtime.settings
    told_to_end = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, told_to_end.set)

    async with open_tools(settings) as tools, reading(tools, make_broker(settings.events_url.get_secret_value())):
        (task,) = [each for each in asyncio.all_tasks() if each.get_name() == part]
        task.cancel()

        await asyncio.wait_for(told_to_end.wait(), 5)

    asyncio.get_running_loop().remove_signal_handler(signal.SIGTERM)


async def test_a_part_that_was_asked_to_end_ends_alone(service: Service) -> None:
    settings = service.app.state.runtime.settings
    told_to_end = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, told_to_end.set)

    async with open_tools(settings) as tools, reading(tools, make_broker(settings.events_url.get_secret_value())):
        await asyncio.sleep(0.1)
    await asyncio.sleep(0.1)

    assert not told_to_end.is_set()
    asyncio.get_running_loop().remove_signal_handler(signal.SIGTERM)
