"""auth and listings as bookings sees them: two internal routes on a real socket, and the server that runs them."""

import asyncio
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Annotated, Any
from uuid import UUID

import uvicorn
from fastapi import FastAPI, Header, HTTPException
from nexus_contracts.listings import ListingSnapshot
from nexus_kit.testing import INTERNAL_SECRET
from nexus_kit.tokens import verify_service_token


class Neighbours:
    """What they know, and whether they answer."""

    def __init__(self) -> None:
        self.url = ""
        self.listings: dict[UUID, ListingSnapshot] = {}
        self.asked: list[UUID] = []
        """Listings that were asked for, in order."""
        self.are_down = False
        self.may_answer = asyncio.Event()
        """Until it is set, listings thinks about what it was asked."""
        self.may_answer.set()
        self.app = FastAPI(openapi_url=None)
        self.app.add_api_route("/internal/users/{user_id}", self.user)
        self.app.add_api_route("/internal/listings/{listing_id}", self.listing)

    def recover(self) -> None:
        """Know nothing, and answer."""
        self.listings.clear()
        self.asked.clear()
        self.are_down = False
        self.may_answer.set()

    async def user(self, user_id: UUID, authorization: Annotated[str, Header()]) -> dict[str, Any]:
        """auth: anybody exists."""
        self._admit(authorization, audience="auth")
        return {"id": user_id, "email": f"{user_id}@nexus.example", "full_name": "Makeda", "email_verified": True}

    async def listing(self, listing_id: UUID, authorization: Annotated[str, Header()]) -> ListingSnapshot:
        """listings: those that a test has put here."""
        self._admit(authorization, audience="listings")
        self.asked.append(listing_id)
        await self.may_answer.wait()
        if listing_id not in self.listings:
            raise HTTPException(404)
        return self.listings[listing_id]

    def _admit(self, authorization: str, *, audience: str) -> None:
        if self.are_down:
            raise HTTPException(503)
        caller = verify_service_token(authorization.removeprefix("Bearer "), INTERNAL_SECRET, audience=audience)
        assert caller == "bookings"


class _Server(uvicorn.Server):
    """Says when it listens, and leaves signals to the test run."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.listens = asyncio.Event()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self.listens.set()

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


@asynccontextmanager
async def serving(app: FastAPI, port: int) -> AsyncIterator[str]:
    """The app on a socket of the loopback interface; its lifespan is somebody else's business. Yields its address."""
    config = uvicorn.Config(app, host="127.0.0.1", port=port, lifespan="off", log_config=None, access_log=False)
    server = _Server(config)
    task = asyncio.create_task(server.serve())
    await server.listens.wait()
    yield f"http://127.0.0.1:{port}"
    server.should_exit = True
    await task
