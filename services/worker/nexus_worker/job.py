"""What a reaction is given: the event, and the tools to react with. `react` makes one `Job` per message."""

from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import Any, Generic, Protocol

from nexus_contracts.envelope import CloudEvent, EventT
from nexus_kit.app import redis_client
from nexus_kit.db import Database
from nexus_kit.http import ServiceClient
from nexus_kit.objects import Objects
from redis.asyncio import Redis

from nexus_worker.broker import QUEUES
from nexus_worker.mail.smtp import Mailer
from nexus_worker.settings import Settings


@dataclass(frozen=True)
class Tools:
    """One set per process, used on the loop of the async actors only."""

    database: Database
    events: Redis
    services: Mapping[str, ServiceClient]
    """By name: auth, listings, bookings."""
    mailer: Mailer
    objects: Objects
    """The files of photos."""
    public_url: str


@asynccontextmanager
async def open_tools(settings: Settings) -> AsyncIterator[Tools]:
    """Make the tools, and close them at the end."""
    # One connection per reaction, since each is a transaction; two more for measurements.
    threads = len(QUEUES) * settings.worker_threads
    database = Database(settings.database_url.get_secret_value(), pool_size=threads + 2)
    urls = {"auth": settings.auth_url, "listings": settings.listings_url, "bookings": settings.bookings_url}
    secret = settings.internal_secret.get_secret_value()
    async with AsyncExitStack() as stack:
        stack.push_async_callback(database.engine.dispose)
        events = redis_client(settings.events_url.get_secret_value())
        stack.push_async_callback(events.aclose)
        services = {
            name: await stack.enter_async_context(ServiceClient(url, caller="worker", audience=name, secret=secret))
            for name, url in urls.items()
        }
        mailer = Mailer(settings.smtp_url.get_secret_value(), settings.mail_from)
        objects = Objects(settings.photos_url)
        yield Tools(database, events, services, mailer, objects, settings.public_url)


@dataclass(frozen=True)
class Job(Generic[EventT]):
    """One reaction to one event."""

    reaction: str
    event: CloudEvent[EventT]
    document: str
    """The event exactly as it was published, with fields that this version may not know."""
    tools: Tools

    @property
    def fact(self) -> EventT:
        """What happened."""
        return self.event.data


class Reaction(Protocol):
    """An async function. Its name is how messages, inbox rows and dead letters call it: renaming it orphans those."""

    __name__: str

    async def __call__(self, job: Job[Any], /) -> None:
        """React, or raise: `failures.Permanent` when trying again is useless, anything else to be tried again."""
