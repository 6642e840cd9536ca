"""What is read together is delivered together, and arrives as if each event had been delivered by itself."""

import json
from typing import Any
from uuid import UUID, uuid4

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from nexus_contracts.bookings import BookingHeld, NightsChanged
from nexus_contracts.envelope import CloudEvent
from nexus_kit import streams
from nexus_kit.testing import Service
from nexus_worker.broker import DEFAULT, delayed, waiting
from nexus_worker.dead_letters import Letter, open_office

from tests.worker.world import EXPIRES, World, booking, event_of, eventually

STREAM = streams.stream_name("bookings")


def nights() -> CloudEvent[NightsChanged]:
    return event_of(NightsChanged(listing_id=uuid4(), sold_out=[], freed=[]))


async def test_what_was_published_together_takes_one_request_and_keeps_its_order(world: World) -> None:
    events = [nights() for _ in range(40)]
    world.listings.batches.clear()

    await world.happen_together(*events)

    await eventually(lambda: all_arrived(world, events))
    assert world.listings.batches == [40]
    arrived = [event["id"] for _, event in world.listings.delivered[-40:]]
    assert arrived == [str(event.id) for event in events]


# Each part of a flood: what it is, and how often it was published. A service refuses a poisoned one, or has a bug that
# it meets; the type of an unknown one nobody knows; a booking that is held is nobody's business.
FLOODS = st.lists(
    st.tuples(st.sampled_from(["good", "good", "good", "refused", "bug", "unknown", "ignored"]), st.integers(1, 2)),
    min_size=1,
    max_size=12,
)


@settings(
    max_examples=6,
    deadline=None,
    derandomize=True,
    database=None,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(flood=FLOODS)
async def test_whatever_a_flood_holds_each_good_event_arrives_and_each_bad_one_is_set_aside(
    world: World, service: Service, flood: list[tuple[str, int]]
) -> None:
    good: list[CloudEvent[Any]] = []
    bad: list[CloudEvent[Any]] = []
    unknown: list[CloudEvent[Any]] = []
    published: list[str] = []
    for kind, times in flood:
        event: CloudEvent[Any] = nights() if kind != "ignored" else held()
        document = event.model_dump_json(exclude_none=True)
        if kind == "good":
            good.append(event)
        elif kind in ("refused", "bug"):
            bad.append(event)
            world.listings.poison[event.subject] = 422 if kind == "refused" else 500
        elif kind == "unknown":
            unknown += [event] * times
            document = document.replace("nights.changed", "nights.moved")
        published += [document] * times

    await streams.publish(world.events, STREAM, published)

    await eventually(lambda: all_is_done(world))
    await all_arrived(world, good)
    letters = await letters_of(service)
    given_up = [letter.event["id"] for letter in letters if letter.what == "deliver_to_listings"]
    assert sorted(given_up) == sorted(str(event.id) for event in bad)
    unread = [json.loads(letter.event)["id"] for letter in letters if letter.what == STREAM]
    assert unread == [str(event.id) for event in unknown]
    assert all(not world.listings.delivered_about(event.subject) for event in [*bad, *unknown])
    async with open_office(service.app.state.runtime.settings) as office:
        for letter in letters:
            await office.discard(letter)


@pytest.mark.parametrize("status", [422, 500])
async def test_a_service_that_takes_one_at_a_time_or_cannot_say_what_is_wrong_is_given_less_until_it_can(
    world: World, service: Service, status: int
) -> None:
    events = [nights() for _ in range(20)]
    world.listings.takes_batches = False
    world.listings.batches.clear()
    world.listings.poison[events[7].subject] = status

    await world.happen_together(*events)

    await eventually(lambda: all_arrived(world, [*events[:7], *events[8:]]))
    assert world.listings.batches == [1] * 19
    letter = await eventually(lambda: the_only_letter(service))
    assert letter.event["id"] == str(events[7].id)

    world.listings.poison.clear()
    async with open_office(service.app.state.runtime.settings) as office:
        await office.redeliver(letter)
    await eventually(lambda: all_arrived(world, events))


async def test_a_batch_waits_undivided_while_its_service_is_away(world: World, service: Service) -> None:
    events = [nights() for _ in range(20)]
    world.listings.failing_with, world.listings.refused = 503, 0
    world.listings.batches.clear()

    await world.happen_together(*events)
    await eventually(lambda: was_refused(world, 1))
    world.listings.failing_with = None

    await eventually(lambda: all_arrived(world, events))
    assert (world.listings.batches, world.listings.refused) == ([20], 1)
    assert await letters_of(service) == []


async def test_a_batch_that_takes_its_service_too_long_is_divided(world: World, service: Service) -> None:
    events = [nights() for _ in range(8)]
    world.listings.seconds_for_each = 0.7
    world.listings.batches.clear()

    await world.happen_together(*events)

    async def divided() -> None:
        assert world.listings.batches == [8, 4, 4], "the whole was applied in the end, but nobody waited for its answer"

    await eventually(divided)
    assert await letters_of(service) == []


async def test_of_a_batch_that_is_given_up_each_event_is_a_letter_that_can_be_redelivered(
    world: World, service: Service
) -> None:
    events = [nights() for _ in range(3)]
    world.listings.failing_with = 503

    await world.happen_together(*events)

    async def letters() -> list[Letter]:
        found = await letters_of(service)
        assert {UUID(letter.event["id"]) for letter in found} == {event.id for event in events}
        return found

    open_letters = await eventually(letters)
    assert {(letter.what, letter.attempts) for letter in open_letters} == {("deliver_to_listings", 2)}
    world.listings.failing_with = None
    async with open_office(service.app.state.runtime.settings) as office:
        for letter in open_letters:
            await office.redeliver(letter)
    await eventually(lambda: all_arrived(world, events))
    assert await letters_of(service) == []


def held() -> CloudEvent[BookingHeld]:
    return event_of(booking(BookingHeld, uuid4(), uuid4(), expires_at=EXPIRES))


async def all_arrived(world: World, events: list[CloudEvent[NightsChanged]]) -> None:
    arrived = {event["id"] for _, event in list(world.listings.delivered)}
    assert {str(event.id) for event in events} <= arrived


async def all_is_done(world: World) -> None:
    """Nothing is unread, waits, runs, or waits for its next try."""
    (group,) = await world.events.xinfo_groups(STREAM)
    assert (group["lag"], group["pending"]) == (0, 0)
    assert await world.events.hlen(delayed(DEFAULT)) == 0
    assert await world.events.hlen(f"{waiting(DEFAULT)}.msgs") == 0


async def was_refused(world: World, times: int) -> None:
    assert world.listings.refused >= times


async def the_only_letter(service: Service) -> Letter:
    (letter,) = await letters_of(service)
    return letter


async def letters_of(service: Service) -> list[Letter]:
    async with open_office(service.app.state.runtime.settings) as office:
        return await office.letters()
