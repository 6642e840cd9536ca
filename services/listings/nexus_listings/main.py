"""The listings service. uvicorn starts it as `nexus_listings.main:build`."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI
from nexus_contracts.auth import UserDeleted
from nexus_contracts.bookings import NightsChanged
from nexus_kit.app import create_app
from nexus_kit.inbox import Together
from nexus_kit.objects import Objects

from nexus_listings import amenities, publicly, timers
from nexus_listings.categories import routes as categories
from nexus_listings.constraints import CONSTRAINTS
from nexus_listings.db import plan_by_values
from nexus_listings.erasure import erase
from nexus_listings.favourites import routes as favourites
from nexus_listings.imports import routes as imports
from nexus_listings.listings import routes as listings
from nexus_listings.nights.service import apply_nights_changed
from nexus_listings.photos import routes as photos
from nexus_listings.saved_searches import routes as saved_searches
from nexus_listings.search import routes as search
from nexus_listings.settings import Settings


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[None]:
    """What this service has besides what all have."""
    plan_by_values(app.state.runtime.database.engine)
    async with publicly.public_cache(app):
        yield


def build() -> FastAPI:
    """Build the app from the environment."""
    settings = Settings()
    store = Objects(settings.photos_url)
    app = create_app(
        name="listings",
        title="Nexus listings",
        description="Places to stay: kept by their hosts, found by everybody.",
        settings=settings,
        routers=[
            search.router,  # the first to be tried: nothing is asked for as often
            *(listings.router, imports.router, listings.seen),
            *(photos.router, photos.files),
            *(favourites.router, saved_searches.router, saved_searches.unsubscribing),
            *(categories.router, categories.kept, amenities.router, publicly.router),
            *(listings.internal, photos.internal, saved_searches.internal),
        ],
        constraints=CONSTRAINTS,
        consumes={NightsChanged: Together(apply_nights_changed), UserDeleted: erase},
        background=[*timers.BACKGROUND, *timers.sweeping(store)],
        public={
            "GET /api/v1/amenities",
            "GET /api/v1/categories",
            "GET /api/v1/categories/{slug}",
            "GET /api/v1/listings",
            "GET /api/v1/listings/{listing_id}",
            "GET /api/v1/photos/{photo_id}/{size}.webp",
            "GET /api/v1/cache/metrics",
            "GET /api/v1/saved-searches/{saved_search_id}/unsubscribe",
            "POST /api/v1/saved-searches/{saved_search_id}/unsubscribe",
        },
        lifespan=lifespan,
    )
    app.state.objects = store
    return app
