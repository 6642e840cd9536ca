"""The listings service. uvicorn starts it as `nexus_listings.main:build`."""

from fastapi import FastAPI
from nexus_contracts.auth import UserDeleted
from nexus_contracts.bookings import NightsChanged
from nexus_kit.app import create_app

from nexus_listings import publicly
from nexus_listings.categories import routes as categories
from nexus_listings.listings import routes as listings
from nexus_listings.listings import service
from nexus_listings.nights.service import apply_nights_changed
from nexus_listings.search import routes as search
from nexus_listings.settings import Settings


def build() -> FastAPI:
    """Build the app from the environment."""
    return create_app(
        name="listings",
        title="Nexus listings",
        description="Places to stay: kept by their hosts, found by everybody.",
        settings=Settings(),
        routers=[categories.router, search.router, listings.router, listings.seen, publicly.router, listings.internal],
        constraints=service.CONSTRAINTS,
        consumes={NightsChanged: apply_nights_changed, UserDeleted: service.archive_all_of},
        public={
            "GET /api/v1/categories",
            "GET /api/v1/listings",
            "GET /api/v1/listings/{listing_id}",
            "GET /api/v1/cache/metrics",
        },
        lifespan=publicly.public_cache,
    )
