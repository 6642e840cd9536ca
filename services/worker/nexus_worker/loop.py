"""What lives on the loop of the async actors: their tools, the reader, the chores. `main` adds it to the broker.

Dramatiq calls the four hooks in this order: tools before the first message, reading after the threads have started;
on the way out no more reading, then the threads finish, then the tools are closed.
"""

import asyncio
from contextlib import AsyncExitStack

from dramatiq.asyncio import EventLoopThread, get_event_loop_thread
from dramatiq.broker import Broker
from dramatiq.middleware import Middleware, MiddlewareError
from dramatiq.worker import Worker

from nexus_worker.chores import do_chores
from nexus_worker.job import Tools, open_tools
from nexus_worker.react import declare_actors
from nexus_worker.reader import Reader
from nexus_worker.settings import Settings


class OnTheLoop(Middleware):
    """Must come after AsyncIO, which makes the loop first and ends it last."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._closing = AsyncExitStack()
        self._thread: EventLoopThread | None = None
        self._tools: Tools | None = None
        self._reader: Reader | None = None
        self._tasks: list[asyncio.Task[None]] = []

    def before_worker_boot(self, broker: Broker, worker: Worker) -> None:
        """Make the tools and declare the actors. Any error but Dramatiq's own would be swallowed: half a worker."""
        try:
            self._thread = get_event_loop_thread()
            assert self._thread is not None, "the loop did not start"
            self._tools = self._thread.run_coroutine(self._closing.enter_async_context(open_tools(self._settings)))
            declare_actors(broker, self._tools, retries=self._settings.reaction_retries)
        except Exception as exc:
            raise MiddlewareError(f"the worker cannot start: {exc!r}") from exc

    def after_worker_boot(self, broker: Broker, worker: Worker) -> None:
        """Begin to read."""
        assert self._thread is not None
        self._thread.run_coroutine(self._begin(broker))

    def before_worker_shutdown(self, broker: Broker, worker: Worker) -> None:
        """Stop reading; what is in hand is enqueued and acknowledged first."""
        if self._thread is not None:
            self._thread.run_coroutine(self._end())

    def after_worker_shutdown(self, broker: Broker, worker: Worker) -> None:
        """Close the tools: no reaction runs any more."""
        if self._thread is not None:
            self._thread.run_coroutine(self._closing.aclose())

    async def _begin(self, broker: Broker) -> None:
        assert self._tools is not None
        self._reader = Reader(self._tools.events, broker)
        self._tasks = [
            asyncio.create_task(self._reader.run(), name="reader"),
            asyncio.create_task(do_chores(self._tools), name="chores"),
        ]

    async def _end(self) -> None:
        if self._reader is None:
            return
        reading, chores = self._tasks
        self._reader.stop()
        chores.cancel()
        await asyncio.wait({reading, chores}, timeout=5)
