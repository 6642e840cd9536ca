"""Of each night the newest word counts, however many words come at once and in whichever order."""

from datetime import date
from uuid import UUID, uuid4

import httpx
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from nexus_contracts.bookings import NightsChanged
from nexus_contracts.envelope import Event
from nexus_kit.testing import Service
from nexus_listings.nights.models import SoldOutNight
from sqlalchemy import select

from tests.listings.given import deliver_together, soon

nights = st.lists(st.integers(0, 3).map(soon), max_size=3)
# About which of two listings, as which version, and the nights that are sold out or freed.
words = st.tuples(st.integers(0, 1), st.integers(1, 4), nights, nights)
batches = st.lists(st.lists(words, max_size=6), max_size=4)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(batches=batches)
async def test_a_batch_leaves_what_its_events_would_have_left_one_by_one(
    client: httpx.AsyncClient, service: Service, batches: list[list[tuple[int, int, list[date], list[date]]]]
) -> None:
    listings = [uuid4(), uuid4()]
    expected: dict[tuple[UUID, date], tuple[int, bool]] = {}

    for batch in batches:
        facts: list[tuple[Event, int]] = []
        for listing, version, sold_out, freed in batch:
            facts.append((NightsChanged(listing_id=listings[listing], sold_out=sold_out, freed=freed), version))
            for night in {*sold_out, *freed}:
                if expected.get((listings[listing], night), (0, False))[0] < version:
                    expected[listings[listing], night] = version, night in sold_out
        answer = await deliver_together(service, facts)
        assert answer.status_code == 204, answer.text

    async with service.database.unit_of_work() as session:
        known = await session.scalars(select(SoldOutNight).where(SoldOutNight.listing_id.in_(listings)))
        assert {(row.listing_id, row.night): (row.sequence, row.sold_out) for row in known} == expected
