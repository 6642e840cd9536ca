"""The worker, Redis or a peer dies in the middle: every reaction still takes effect, and takes effect once."""

import signal
import socket
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest
from nexus_contracts import auth, bookings
from nexus_contracts.access_token import revoked_session_key
from nexus_contracts.envelope import CloudEvent
from nexus_kit.app import redis_client
from nexus_kit.db import Database
from nexus_kit.testing import INTERNAL_SECRET, PUBLIC_URL, Servers, create_database
from nexus_worker.reader import STREAMS
from redis.asyncio import Redis

from tests.local.simulators import MailCatcher
from tests.worker.peers import Peer
from tests.worker.processes import Killable, durable_valkey, worker
from tests.worker.world import World, booking, consumers, eventually, told_of

ALEMBIC_INI = Path(__file__).parents[2] / "services" / "worker" / "alembic.ini"
MANY = 25
REFUSED_WITHIN_SECONDS = 5


@dataclass(frozen=True)
class Stage:
    """What a test may kill, and where it sees what came of it."""

    world: World
    worker: Killable
    valkey: Killable
    database: Database

    async def everything_is_told(self, told: dict[UUID, CloudEvent[Any]]) -> None:
        """Each guest got the receipt of their booking, and each host the news, and each reaction left one row."""
        for person, event in told.items():
            mails = await self.world.mails_to(person)
            assert len({mail["MessageID"] for mail in mails}) == 1, "one mail, or copies of one"
            assert await consumers(self.database, event) == ["mail_guest_receipt", "mail_host_new_booking"]


@pytest.fixture(scope="module")
async def database(servers: Servers) -> AsyncIterator[Database]:
    url = await create_database(servers.postgres_admin_url, "nexus_worker_that_dies", ALEMBIC_INI)
    database = Database(url)
    yield database
    await database.engine.dispose()


@pytest.fixture(scope="module")
def valkey(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Killable, str]]:
    process, url = durable_valkey(tmp_path_factory.mktemp("valkey"))
    with process.running():
        yield process, url


@pytest.fixture
def environment(
    servers: Servers,
    database: Database,
    valkey: tuple[Killable, str],
    peers: dict[str, Peer],
    mail_catcher: MailCatcher,
) -> dict[str, str]:
    _, redis_url = valkey
    return told_of(
        peers,
        mail_catcher,
        MAILBOX=mail_catcher.url,
        NEXUS_DATABASE_URL=database.engine.url.render_as_string(hide_password=False),
        NEXUS_EVENTS_URL=f"{redis_url}/1",
        NEXUS_CACHE_URL=f"{redis_url}/0",
        NEXUS_JWKS_URL=servers.jwks_url,
        NEXUS_INTERNAL_SECRET=INTERNAL_SECRET,
        NEXUS_ISSUER=PUBLIC_URL,
        NEXUS_PUBLIC_URL=PUBLIC_URL,
    )


@pytest.fixture
async def stage(
    environment: dict[str, str],
    database: Database,
    valkey: tuple[Killable, str],
    peers: dict[str, Peer],
    tmp_path: Path,
) -> AsyncIterator[Stage]:
    redis_process, _ = valkey
    async with redis_client(environment["NEXUS_EVENTS_URL"]) as events:  # which connects again
        with worker(tmp_path, environment).running() as running:
            yield Stage(World(**peers, mailbox=environment["MAILBOX"], events=events), running, redis_process, database)
    for peer in peers.values():
        peer.failing_with, peer.answers_after = None, 0.0


async def test_a_worker_killed_with_reactions_in_flight_loses_none(stage: Stage) -> None:
    stage.world.auth.answers_after = 0.2
    told = await many_bookings(stage.world)
    await eventually(lambda: some_are_told(stage, told))

    stage.worker.kill()
    stage.world.auth.answers_after = 0.0
    stage.worker.start()

    await eventually(lambda: stage.everything_is_told(told), 60)
    await assert_hardly_any_mail_came_twice(stage, told)


async def test_a_worker_asked_to_stop_finishes_what_runs_and_leaves_the_rest(stage: Stage) -> None:
    stage.world.auth.answers_after = 0.2
    told = await many_bookings(stage.world)
    await eventually(lambda: some_are_told(stage, told))

    assert stage.worker.terminate() == -signal.SIGTERM, "uvicorn ends as it was told to, once all is in order"
    assert "Worker has been shut down." in stage.worker.log.read_text()
    stage.world.auth.answers_after = 0.0
    stage.worker.start()

    await eventually(lambda: stage.everything_is_told(told), 10)
    assert {len(await stage.world.mails_to(person)) for person in told} == {1}


async def test_while_auth_is_away_the_mail_waits_and_a_restart_of_redis_does_not_lose_it(stage: Stage) -> None:
    stage.world.auth.failing_with = 503
    told = await many_bookings(stage.world)
    await eventually(lambda: many_wait_for_their_next_try(stage))

    stage.valkey.kill()
    stage.valkey.start()
    stage.world.auth.failing_with = None

    await eventually(lambda: stage.everything_is_told(told), 90)


async def test_a_reaction_that_fails_while_redis_is_away_is_tried_again(stage: Stage) -> None:
    stage.world.auth.answers_after, stage.world.auth.refused = 2.0, 0
    told = await many_bookings(stage.world, 3)
    await eventually(lambda: nothing_waits(stage))

    stage.world.auth.failing_with = 500
    stage.valkey.kill()
    await eventually(lambda: auth_has_refused(stage, 6))
    stage.valkey.start()
    stage.world.auth.failing_with, stage.world.auth.answers_after = None, 0.0

    await eventually(lambda: stage.everything_is_told(told), 60)


async def test_a_mail_server_that_hangs_holds_up_no_revocation_and_no_delivery(
    environment: dict[str, str], peers: dict[str, Peer], tmp_path: Path
) -> None:
    async with redis_client(environment["NEXUS_EVENTS_URL"]) as events:
        await events.flushdb()
        world = World(**peers, mailbox=environment["MAILBOX"], events=events)
        with silent_server() as smtp, worker(tmp_path, {**environment, "NEXUS_SMTP_URL": smtp}).running():
            await many_bookings(world, 50)
            await eventually(lambda: mails_wait(events))

            revoked = auth.SessionRevoked(session_id=uuid4(), user_id=uuid4())
            nights = bookings.NightsChanged(listing_id=uuid4(), sold_out=[], freed=[])
            await world.happens(revoked)
            await world.happens(nights)

            async def refused_and_told() -> None:
                assert await events.exists(revoked_session_key(revoked.session_id))
                assert world.listings.delivered_about(nights.listing_id)

            await eventually(refused_and_told, REFUSED_WITHIN_SECONDS)
            await mails_wait(events)
        await events.flushdb()


@contextmanager
def silent_server() -> Iterator[str]:
    """A mail server that takes connections and never says a word."""
    with socket.create_server(("127.0.0.1", 0), backlog=200) as server:
        yield f"smtp://127.0.0.1:{server.getsockname()[1]}"


async def mails_wait(events: Redis) -> None:
    """Of the 100, more than its threads are busy with and its consumer has fetched."""
    assert await events.llen("dramatiq:mail") >= 50


async def many_bookings(world: World, count: int = MANY) -> dict[UUID, CloudEvent[Any]]:
    """Confirm so many bookings; the event by each guest and each host."""
    told = {}
    for _ in range(count):
        guest, host = world.auth.user(), world.auth.user()
        told[guest] = told[host] = await world.happens(booking(bookings.BookingConfirmed, guest, host))
    return told


async def some_are_told(stage: Stage, told: dict[UUID, CloudEvent[Any]]) -> None:
    done = [await consumers(stage.database, event) for event in told.values()]
    assert 5 < sum(map(len, done)) < 2 * len(done)


async def many_wait_for_their_next_try(stage: Stage) -> None:
    assert await stage.world.events.hlen("dramatiq:mail.DQ.msgs") >= MANY / 2


async def nothing_waits(stage: Stage) -> None:
    assert await stage.world.events.llen("dramatiq:mail") == 0
    for stream in STREAMS:
        (group,) = await stage.world.events.xinfo_groups(stream)
        assert (group["lag"], group["pending"]) == (0, 0)


async def auth_has_refused(stage: Stage, count: int) -> None:
    assert stage.world.auth.refused >= count


async def assert_hardly_any_mail_came_twice(stage: Stage, told: dict[UUID, CloudEvent[Any]]) -> None:
    """Only those between the mail server's yes and the commit can: at most one for each thread."""
    copies = Counter([len(await stage.world.mails_to(person)) for person in told])
    assert copies[1] >= len(told) - 8, copies
