"""What every route of the simulator needs: the settings, the store, and a way to wake the webhook sender.

`app` builds it; routes ask for `ContextDep`.
"""

import asyncio
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated

from fastapi import Depends, Request

from nexus_local.payments.store import Store


@dataclass(frozen=True, slots=True)
class Settings:
    """How the simulator was started. URLs have no trailing slash."""

    data: Path
    secret_key: str = field(repr=False)
    webhook_secret: str = field(repr=False)
    webhook_url: str
    public_url: str
    retry_seconds: float
    attempts: int


@dataclass(frozen=True, slots=True)
class Context:
    """One running simulator."""

    settings: Settings
    store: Store
    work: asyncio.Event
    """Set whenever there may be something to deliver."""


def context_of(request: Request) -> Context:
    """The simulator that serves this request."""
    context: Context = request.app.state.context
    return context


ContextDep = Annotated[Context, Depends(context_of)]
