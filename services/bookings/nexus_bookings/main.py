"""Builds the bookings service: `uvicorn --factory nexus_bookings.main:build`. Tests build it the same way."""

from datetime import timedelta

from fastapi import FastAPI
from nexus_contracts.auth import UserDeleted
from nexus_contracts.listings import ListingDeleted, ListingPublished, ListingUnpublished, ListingUpdated
from nexus_kit.app import create_app

from nexus_bookings import timers
from nexus_bookings.attention import routes as attention
from nexus_bookings.bookings import routes as bookings
from nexus_bookings.calendars import routes as calendars
from nexus_bookings.changes import routes as changes
from nexus_bookings.constraints import CONSTRAINTS
from nexus_bookings.erasure import erase
from nexus_bookings.ledger import routes as ledger
from nexus_bookings.listings.service import apply
from nexus_bookings.neighbours import Neighbours
from nexus_bookings.nights import routes as nights
from nexus_bookings.payments import routes as payments
from nexus_bookings.payouts import routes as payouts
from nexus_bookings.quotes import routes as quotes
from nexus_bookings.settings import Settings
from nexus_bookings.timeline import routes as timeline
from nexus_bookings.waiting_list import routes as waiting_list
from nexus_bookings.waiting_list.service import OfferTerms


def build() -> FastAPI:
    """The application, from the environment alone."""
    neighbours = Neighbours.of(settings := Settings())
    offers = OfferTerms(timedelta(seconds=settings.offer_seconds), settings.percentages)
    return create_app(
        name="bookings",
        title="Nexus bookings",
        description="Quotes, bookings, the nights they hold, and their payments.",
        settings=settings,
        routers=[
            nights.router,
            quotes.router,
            bookings.router,
            timeline.router,
            changes.router,
            waiting_list.router,
            payments.router,
            calendars.router,
            attention.router,
            ledger.router,
            payouts.router,
        ],
        constraints=CONSTRAINTS,
        consumes={
            **dict.fromkeys((ListingPublished, ListingUpdated, ListingUnpublished, ListingDeleted), apply),
            UserDeleted: erase,
        },
        background=timers.background(neighbours.payments, neighbours.calendars, offers),
        public={
            "GET /api/v1/availability/{listing_id}",
            "GET /api/v1/calendars/{secret}.ics",
            "POST /api/v1/payments/chapa/webhook",
        },
        lifespan=neighbours.lifespan,
    )
