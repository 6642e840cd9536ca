"""Builds the worker: an ordinary Nexus service whose lifespan runs Dramatiq in this process. uvicorn calls `build`."""

from fastapi import FastAPI
from nexus_kit import inbox
from nexus_kit.app import create_app
from nexus_kit.background import Periodic

from nexus_worker.loop import on_a_loop_of_its_own
from nexus_worker.settings import Settings


def build() -> FastAPI:
    """The app, from the environment alone."""
    settings = Settings()
    return create_app(
        name="worker",
        title="Nexus worker",
        description="Reads the event streams and runs the reactions. It has no API: only health and metrics.",
        settings=settings,
        background=[Periodic("prune inbox", 24 * 3600, lambda runtime: inbox.prune(runtime.database))],
        lifespan=lambda _: on_a_loop_of_its_own(settings),
    )
