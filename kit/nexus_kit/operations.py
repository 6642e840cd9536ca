"""What operators ask every service: /livez, /readyz, /metrics, and the offline /docs."""

import asyncio
from collections.abc import Awaitable
from pathlib import Path
from typing import Any

from fastapi import APIRouter, Response
from fastapi.responses import FileResponse, JSONResponse
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from sqlalchemy import text

from nexus_kit import migrations
from nexus_kit.runtime import Runtime, RuntimeDep

DOCS = Path(__file__).parent / "docs"
"""Swagger UI and its page, served at /docs and /docs-assets. Its addresses are relative: it works at both doors."""


def operations_router(alembic_ini: Path) -> APIRouter:
    """Routes outside /api/v1, and outside the API's documentation."""
    router = APIRouter(include_in_schema=False)

    @router.get("/livez")
    async def livez() -> dict[str, str]:
        """This process serves requests; whether anything behind it does is for /readyz."""
        return {"status": "ok"}

    @router.get("/readyz")
    async def readyz(runtime: RuntimeDep) -> Response:
        """200 when database and Redis answer and the migrations are at head, else 503 and what is wrong."""
        checks = dict(
            zip(
                ("database", "redis"),
                await asyncio.gather(_check(_database(runtime, alembic_ini)), _check(_ping(runtime))),
                strict=True,
            )
        )
        ready = all(result == "ok" for result in checks.values())
        body = {"status": "ok" if ready else "unavailable", "service": runtime.name, "checks": checks}
        return JSONResponse(body, 200 if ready else 503, {"Cache-Control": "no-store"})

    @router.get("/metrics")
    async def metrics() -> Response:
        """Prometheus text format."""
        return Response(generate_latest(), media_type=CONTENT_TYPE_LATEST)

    @router.get("/docs")
    async def docs() -> FileResponse:
        """Swagger UI from our own files: it works without a network and under a strict CSP."""
        return FileResponse(DOCS / "page.html", media_type="text/html")

    return router


async def _check(probe: Awaitable[Any]) -> str:
    try:
        async with asyncio.timeout(2):
            await probe
    except Exception as exc:  # noqa: BLE001 - whatever is wrong is the answer
        return str(exc).splitlines()[0][:200] if str(exc) else type(exc).__name__
    return "ok"


async def _database(runtime: Runtime, alembic_ini: Path) -> None:
    async with runtime.database.engine.connect() as connection:
        rows = await connection.execute(text("SELECT version_num FROM alembic_version"))
        current, wanted = set(rows.scalars()), migrations.heads(alembic_ini)
    if current != wanted:
        raise RuntimeError(f"migrations at {sorted(current)}, this code needs {sorted(wanted)}")


async def _ping(runtime: Runtime) -> None:
    await runtime.events.ping()
