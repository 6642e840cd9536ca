"""What a running service holds: made in `app.create_app`, reached through `RuntimeDep` or `app.state.runtime`."""

from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, Request
from redis.asyncio import Redis

from nexus_kit.db import Database
from nexus_kit.settings import ServiceSettings
from nexus_kit.tokens import Verifier


@dataclass(frozen=True)
class Runtime:
    """One per process. `events` is the durable Redis database, `cache` the one that may be lost."""

    name: str
    settings: ServiceSettings
    database: Database
    events: Redis
    cache: Redis
    verifier: Verifier


async def runtime(request: Request) -> Runtime:
    """The dependency behind `RuntimeDep`."""
    found: Runtime = request.app.state.runtime
    return found


RuntimeDep = Annotated[Runtime, Depends(runtime)]
