"""The worker, Redis or a peer dies in the middle: every reaction still takes effect, and takes effect once."""

import signal
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from nexus_contracts import bookings
from nexus_contracts.envelope import CloudEvent
from nexus_kit.app import redis_client
from nexus_kit.db import Database
from nexus_kit.testing import INTERNAL_SECRET, PUBLIC_URL, Servers, create_database
from nexus_worker.reader import STREAMS

from tests.local.simulators import MailCatcher
from tests.worker.peers import Peer
from tests.worker.processes import Killable, durable_valkey, worker
from tests.worker.world import World, booking, consumers, eventually, told_of

ALEMBIC_INI = Path(__file__).parents[2] / "services" / "worker" / "alembic.ini"
MANY = 25


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
