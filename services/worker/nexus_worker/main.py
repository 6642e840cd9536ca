"""Builds the worker: an ordinary Nexus service whose lifespan runs Dramatiq in this process. uvicorn calls `build`."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial

from dramatiq import Worker
from fastapi import FastAPI
from nexus_kit import inbox
from nexus_kit.app import create_app
from nexus_kit.background import Periodic

from nexus_worker.broker import make_broker
from nexus_worker.loop import OnTheLoop
from nexus_worker.react import REACTION_SECONDS
from nexus_worker.settings import Settings

_POLL_MS = 100
"""How long Dramatiq's idle threads sleep: the most that an event waits for nothing."""


def build() -> FastAPI:
    """The app, from the environment alone."""
    settings = Settings()
    return create_app(
        name="worker",
        title="Nexus worker",
        description="Reads the event streams and runs the reactions. It has no API: only health and metrics.",
        settings=settings,
        background=[Periodic("prune inbox", 24 * 3600, lambda runtime: inbox.prune(runtime.database))],
        lifespan=partial(_working, settings),
    )


@asynccontextmanager
async def _working(settings: Settings, _: FastAPI) -> AsyncIterator[None]:
    broker = make_broker(settings.events_url.get_secret_value())
    broker.add_middleware(OnTheLoop(settings))
    worker = Worker(broker, worker_timeout=_POLL_MS, worker_threads=settings.worker_threads)
    try:
        await asyncio.to_thread(worker.start)
        yield
    finally:
        # No reading any more; what runs finishes; what only waited in memory goes back to the queue.
        await asyncio.to_thread(worker.stop, REACTION_SECONDS * 1000)
        broker.close()
