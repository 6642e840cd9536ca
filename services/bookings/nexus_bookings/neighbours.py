"""Whom bookings talks to: auth, listings, the payment provider, others' calendars. Routes ask by `NeighboursDep`."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, FastAPI, Request
from nexus_kit.http import ServiceClient

from nexus_bookings.calendars.provider import CalendarReader
from nexus_bookings.payments.provider import Chapa, PaymentProvider
from nexus_bookings.settings import Settings


@dataclass(frozen=True)
class Neighbours:
    """One client of each, for the life of the process."""

    settings: Settings
    auth: ServiceClient
    listings: ServiceClient
    payments: PaymentProvider
    calendars: CalendarReader

    @classmethod
    def of(cls, settings: Settings) -> "Neighbours":
        """The real ones."""
        secret = settings.internal_secret.get_secret_value()
        return cls(
            settings=settings,
            auth=ServiceClient(settings.auth_url, caller="bookings", audience="auth", secret=secret),
            listings=ServiceClient(settings.listings_url, caller="bookings", audience="listings", secret=secret),
            payments=Chapa(
                settings.chapa_url,
                settings.chapa_secret_key.get_secret_value(),
                mode=settings.chapa_mode,
                timeout=settings.chapa_timeout_seconds,
            ),
            calendars=CalendarReader(settings.calendar_private_networks),
        )

    @asynccontextmanager
    async def lifespan(self, app: FastAPI) -> AsyncIterator[None]:
        """Within reach of the routes as long as the app runs."""
        app.state.neighbours = self
        async with AsyncExitStack() as stack:
            for client in (self.auth, self.listings, self.payments, self.calendars):
                await stack.enter_async_context(client)
            yield


async def _neighbours(request: Request) -> Neighbours:
    found: Neighbours = request.app.state.neighbours
    return found


NeighboursDep = Annotated[Neighbours, Depends(_neighbours)]
