"""The worker at work: the loop of the async actors, and what lives on it. `main` runs it as the app's lifespan.

Tools come before the first message, reading after the threads have started; on the way out no more reading, then the
threads finish, then the tools are closed.
"""

import asyncio
import logging
import os
import signal
from collections.abc import AsyncIterator, Coroutine
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

import structlog
from dramatiq import Worker
from dramatiq.asyncio import EventLoopThread, set_event_loop_thread
from dramatiq.broker import Broker

from nexus_worker.broker import QUEUES, make_broker
from nexus_worker.chores import do_chores
from nexus_worker.job import Tools, open_tools
from nexus_worker.react import REACTION_SECONDS, declare_actors
from nexus_worker.reader import Reader
from nexus_worker.settings import Settings

log = structlog.get_logger(__name__)

_POLL_MS = 100
"""How long Dramatiq's idle threads sleep: the most that an event waits for nothing."""


@asynccontextmanager
async def on_a_loop_of_its_own(settings: Settings) -> AsyncIterator[None]:
    """Work, until the block ends, on a loop that no health check waits for."""
    thread = EventLoopThread(logging.getLogger(__name__))
    thread.start(timeout=1.0)
    set_event_loop_thread(thread)

    async def there(work: Coroutine[Any, Any, None]) -> None:
        await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(work, thread.loop))

    at_work = AsyncExitStack()
    try:
        await there(at_work.enter_async_context(working(settings)))
        yield
    finally:
        await there(at_work.aclose())
        thread.stop()  # type: ignore[no-untyped-call]  # as all of dramatiq.asyncio is
        set_event_loop_thread(None)


@asynccontextmanager
async def working(settings: Settings) -> AsyncIterator[None]:
    """Read and react. Each queue has threads of its own: what hangs in one of them keeps nothing in another waiting."""
    async with AsyncExitStack() as closing:
        tools = await closing.enter_async_context(open_tools(settings))
        workers = []
        for queue in QUEUES:
            broker = make_broker(settings.events_url.get_secret_value())
            closing.callback(broker.close)
            declare_actors(broker, queue, tools, retries=settings.reaction_retries)
            workers.append(Worker(broker, worker_timeout=_POLL_MS, worker_threads=settings.worker_threads))
        try:
            for worker in workers:
                worker.start()
            async with reading(tools, broker):  # any of them: it enqueues to all queues
                yield
        finally:
            # What runs finishes; what only waited in memory goes back to the queue.
            await asyncio.gather(*(asyncio.to_thread(worker.stop, REACTION_SECONDS * 1000) for worker in workers))


@asynccontextmanager
async def reading(tools: Tools, broker: Broker) -> AsyncIterator[None]:
    """The reader and the chores; at the end, what the reader has in hand is enqueued and acknowledged first."""
    reader = Reader(tools.events, broker)
    tasks = [
        asyncio.create_task(reader.run(), name="reader"),
        asyncio.create_task(do_chores(tools), name="chores"),
    ]
    for task in tasks:
        task.add_done_callback(_end_the_process)
    try:
        yield
    finally:
        for task in tasks:
            task.remove_done_callback(_end_the_process)
        reader.stop()
        tasks[1].cancel()
        await asyncio.wait(tasks, timeout=5)


def _end_the_process(task: asyncio.Task[None]) -> None:
    """Half a worker looks healthy and does nothing. Whoever supervises this process starts a whole one."""
    error = "cancelled" if task.cancelled() else repr(task.exception())
    log.critical("the worker stops: a part of it has ended unasked", part=task.get_name(), error=error)
    os.kill(os.getpid(), signal.SIGTERM)
