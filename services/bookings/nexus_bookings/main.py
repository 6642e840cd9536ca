"""Builds the bookings service: `uvicorn --factory nexus_bookings.main:build`. Tests build it the same way."""

from fastapi import FastAPI
from nexus_contracts.listings import ListingDeleted, ListingPublished, ListingUnpublished, ListingUpdated
from nexus_kit.app import create_app

from nexus_bookings import timers
from nexus_bookings.bookings import routes as bookings
from nexus_bookings.constraints import CONSTRAINTS
from nexus_bookings.listings.service import apply
from nexus_bookings.neighbours import Neighbours
from nexus_bookings.nights import routes as nights
from nexus_bookings.payments import routes as payments
from nexus_bookings.quotes import routes as quotes
from nexus_bookings.settings import Settings


def build() -> FastAPI:
    """The application, from the environment alone."""
    neighbours = Neighbours.of(settings := Settings())
    return create_app(
        name="bookings",
        title="Nexus bookings",
        description="Quotes, bookings, the nights they hold, and their payments.",
        settings=settings,
        routers=[nights.router, quotes.router, bookings.router, payments.router],
        constraints=CONSTRAINTS,
        consumes=dict.fromkeys((ListingPublished, ListingUpdated, ListingUnpublished, ListingDeleted), apply),
        background=timers.background(neighbours.payments),
        public={"GET /api/v1/availability/{listing_id}", "POST /api/v1/payments/chapa/webhook"},
        lifespan=neighbours.lifespan,
    )
