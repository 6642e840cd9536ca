"""The mail catcher's application: its SMTP server lives exactly as long as the HTTP one does.

`__main__` runs what `create_app` builds.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from fastapi import FastAPI
from fastapi.responses import PlainTextResponse

from nexus_local.mail import api, pages
from nexus_local.mail.maildir import Maildir
from nexus_local.mail.smtp import protocol


def create_app(data: Path, smtp_host: str, smtp_port: int) -> FastAPI:
    """An application that catches mail on `smtp_host:smtp_port` and keeps it in `data`."""

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        loop = asyncio.get_running_loop()
        maildir = Maildir(data)
        smtp = await loop.create_server(lambda: protocol(maildir, loop), smtp_host, smtp_port)
        app.state.maildir = maildir
        app.state.smtp = smtp
        yield
        smtp.close()

    # FastAPI's own /docs loads its assets from a CDN, and nothing here may leave the machine.
    app = FastAPI(title="Nexus mail catcher", openapi_url=None, lifespan=lifespan)
    app.include_router(api.router)
    app.include_router(pages.router)

    @app.get("/livez")
    async def alive() -> dict[str, str]:
        return {"status": "ok"}

    @app.get("/readyz")
    async def ready() -> PlainTextResponse:
        smtp: asyncio.Server = app.state.smtp
        return PlainTextResponse("ok") if smtp.is_serving() else PlainTextResponse("no SMTP", 503)

    return app
