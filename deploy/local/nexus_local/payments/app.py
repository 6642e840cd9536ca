"""The payment simulator's application: the routes, and the webhook sender that runs beside them.

`__main__` runs what `create_app` builds.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator

from fastapi import FastAPI
from fastapi.responses import PlainTextResponse

from nexus_local.payments import chapa, checkout, errors, simulator, transfers, webhooks
from nexus_local.payments.context import Context, Settings
from nexus_local.payments.store import Store


def create_app(settings: Settings) -> FastAPI:
    """A simulator with the state of `settings.data`."""

    @contextlib.asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        with Store.opened(settings.data) as store:
            context = app.state.context = Context(settings, store, asyncio.Event())
            sender = app.state.sender = asyncio.create_task(webhooks.deliver(context))
            yield
            sender.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await sender

    # FastAPI's own /docs loads its assets from a CDN, and nothing here may leave the machine.
    app = FastAPI(title="Nexus payment simulator", openapi_url=None, lifespan=lifespan)
    app.include_router(chapa.router)
    app.include_router(transfers.router)
    app.include_router(transfers.levers)
    app.include_router(checkout.router)
    app.include_router(simulator.router)
    app.add_exception_handler(errors.ChapaError, errors.render_error)
    app.add_exception_handler(errors.Down, errors.render_down)

    @app.get("/livez")
    async def alive() -> dict[str, str]:
        return {"status": "ok"}

    @app.get("/readyz")
    async def ready() -> PlainTextResponse:
        if app.state.sender.done():
            return PlainTextResponse("webhooks are not delivered", 503)
        app.state.context.store.check()
        return PlainTextResponse("ok")

    return app
