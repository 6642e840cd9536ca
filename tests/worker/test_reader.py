"""The reader alone, on a Redis of its own: when it reads, what it takes over, what may be trimmed."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from typing import Any
from uuid import uuid4

import pytest
import redis.asyncio as redis
from dramatiq import Message
from dramatiq.broker import Broker
from nexus_contracts.bookings import BookingConfirmed, BookingHeld, NightsChanged
from nexus_contracts.envelope import parse
from nexus_kit import streams
from nexus_worker.broker import DEFAULT, MAIL, make_broker, waiting
from nexus_worker.chores import tidy
from nexus_worker.reader import GROUP, Reader
from redis.asyncio import Redis

from tests.servers import running_valkey
from tests.worker.peers import Peer
from tests.worker.world import EXPIRES, World, booking, event_of, eventually

STREAM = streams.stream_name("bookings")


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    with running_valkey() as (address, _):
        yield f"{address}/1"


@pytest.fixture
async def events(url: str) -> AsyncIterator[Redis]:
    async with redis.from_url(url) as client:
        await client.flushdb()
        yield client


@pytest.fixture
def broker(url: str) -> Broker:
    return make_broker(url)


async def test_it_stops_reading_while_the_queue_is_long_so_that_the_lag_shows(events: Redis, broker: Broker) -> None:
    async with reading(events, broker, queue_limit=1):
        await nights_change(events)
        await eventually(lambda: queue_has(events, 1))

        await nights_change(events)
        await asyncio.sleep(0.3)
        assert await lag(events) == 1

        await events.delete(waiting(DEFAULT))
        await eventually(lambda: queue_has(events, 1))
        assert await lag(events) == 0


async def test_it_reads_what_was_published_before_the_first_worker_ever_ran(events: Redis, broker: Broker) -> None:
    await nights_change(events)

    async with reading(events, broker):
        await eventually(lambda: queue_has(events, 1))


async def test_it_takes_over_what_a_dead_reader_was_given(events: Redis, broker: Broker) -> None:
    await events.xgroup_create(STREAM, GROUP, id="0", mkstream=True)
    await nights_change(events)
    given: Any = await events.xreadgroup(GROUP, "died", {STREAM: ">"})
    entry_id = given[0][1][0][0]
    await events.xclaim(STREAM, GROUP, "died", min_idle_time=0, message_ids=[entry_id], idle=60_000)

    async with reading(events, broker):
        await eventually(lambda: queue_has(events, 1))
        await eventually(lambda: nothing_is_pending(events))


async def test_it_leaves_alone_what_a_living_reader_was_just_given(events: Redis, broker: Broker) -> None:
    await events.xgroup_create(STREAM, GROUP, id="0", mkstream=True)
    await nights_change(events)
    await events.xreadgroup(GROUP, "alive", {STREAM: ">"})

    async with reading(events, broker):
        await asyncio.sleep(0.3)

    assert await events.llen(waiting(DEFAULT)) == 0


async def test_it_makes_its_groups_again_when_redis_lost_everything(events: Redis, broker: Broker) -> None:
    async with reading(events, broker):
        await events.flushdb()
        await nights_change(events)

        await eventually(lambda: queue_has(events, 1))


async def test_trimming_keeps_what_any_group_has_not_acknowledged(events: Redis, broker: Broker) -> None:
    first, second, third = [await nights_change(events) for _ in range(3)]
    await events.xgroup_create(STREAM, GROUP, id="0")
    await events.xgroup_create(STREAM, "audit", id="0")
    for group in (GROUP, "audit"):
        await events.xreadgroup(group, "somebody", {STREAM: ">"})

    await events.xack(STREAM, GROUP, first, second, third)
    await events.xack(STREAM, "audit", first)
    await tidy(events)
    assert await entries(events) == [second, third], "audit has not acknowledged the second"

    await events.xack(STREAM, "audit", second, third)
    unread = await nights_change(events)
    await tidy(events)
    assert await entries(events) == [unread]


async def test_a_reader_that_is_gone_is_forgotten_once_it_owes_nothing(events: Redis, broker: Broker) -> None:
    await events.xgroup_create(STREAM, GROUP, id="0", mkstream=True)
    entry_id = await nights_change(events)
    await events.xgroup_createconsumer(STREAM, GROUP, "owes nothing")
    await events.xreadgroup(GROUP, "owes one", {STREAM: ">"})
    await asyncio.sleep(0.01)

    await tidy(events, forget_after_ms=0)
    assert await readers(events) == [b"owes one"]

    await events.xack(STREAM, GROUP, entry_id)
    await asyncio.sleep(0.01)
    await tidy(events, forget_after_ms=0)
    assert await readers(events) == []


async def test_what_is_read_together_for_one_service_is_one_message_and_what_is_ignored_is_none(
    events: Redis, broker: Broker
) -> None:
    nights = [event_of(NightsChanged(listing_id=uuid4(), sold_out=[], freed=[])) for _ in range(5)]
    held = event_of(booking(BookingHeld, uuid4(), uuid4(), expires_at=EXPIRES))
    confirmed = event_of(booking(BookingConfirmed, uuid4(), uuid4()))
    await world_on(events).happen_together(nights[0], held, *nights[1:3], confirmed, *nights[3:])

    async with reading(events, broker):
        await eventually(lambda: queue_has(events, 1))
        await eventually(lambda: nothing_is_pending(events))

    (delivery,) = await messages(events, DEFAULT)
    documents, reaction = delivery.args
    assert reaction == "deliver_to_listings"
    assert [parse(document).id for document in documents] == [event.id for event in nights]
    mails = sorted(message.args[1] for message in await messages(events, MAIL))
    assert mails == ["mail_guest_receipt", "mail_host_new_booking"]
    assert {parse(message.args[0]).id for message in await messages(events, MAIL)} == {confirmed.id}


@asynccontextmanager
async def reading(events: Redis, broker: Broker, *, queue_limit: int = 500) -> AsyncIterator[None]:
    reader = Reader(events, broker, queue_limit=queue_limit)
    task = asyncio.create_task(reader.run())
    try:
        yield
    finally:
        reader.stop()
        await task


async def nights_change(events: Redis) -> bytes:
    """Publish one event with one reaction; the id of its entry."""
    await world_on(events).happens(NightsChanged(listing_id=uuid4(), sold_out=[], freed=[]))
    return (await entries(events))[-1]


def world_on(events: Redis) -> World:
    nobody = Peer("nobody")
    return World(nobody, nobody, nobody, "", events)


async def messages(events: Redis, queue: str) -> list[Message[None]]:
    """Those that wait in the queue."""
    stored: Any = await events.hvals(f"{waiting(queue)}.msgs")
    return [Message.decode(each) for each in stored]


async def queue_has(events: Redis, count: int) -> None:
    assert await events.llen(waiting(DEFAULT)) == count


async def nothing_is_pending(events: Redis) -> None:
    assert (await events.xpending(STREAM, GROUP))["pending"] == 0


async def lag(events: Redis) -> int:
    (group,) = await events.xinfo_groups(STREAM)
    return int(group["lag"])


async def entries(events: Redis) -> list[bytes]:
    found: Any = await events.xrange(STREAM)
    return [entry_id for entry_id, _ in found]


async def readers(events: Redis) -> list[bytes]:
    return [each["name"] for each in await events.xinfo_consumers(STREAM, GROUP)]
