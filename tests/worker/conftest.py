"""The worker as production builds it, its three peers, and a mail catcher."""

from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from nexus_kit.testing import Servers, Service, running_service
from nexus_worker.main import build

from tests.local.simulators import MailCatcher, running_mail_catcher
from tests.worker.peers import Peer, serving
from tests.worker.world import World, told_of


@pytest.fixture(scope="session")
def mail_catcher(tmp_path_factory: pytest.TempPathFactory) -> Iterator[MailCatcher]:
    """The one that ships with the product."""
    with running_mail_catcher(Path(tmp_path_factory.mktemp("mail"))) as catcher:
        yield catcher


@pytest.fixture(scope="session")
def peers() -> Iterator[dict[str, Peer]]:
    """auth, listings, bookings."""
    with ExitStack() as stack:
        yield {name: stack.enter_context(serving(Peer(name))) for name in ("auth", "listings", "bookings")}


@pytest.fixture(scope="session")
def photos_url(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Where the worker finds the files of photos."""
    return Path(tmp_path_factory.mktemp("photos")).as_uri()


@pytest.fixture(scope="session")
async def service(
    servers: Servers, peers: dict[str, Peer], mail_catcher: MailCatcher, photos_url: str
) -> AsyncIterator[Service]:
    """One worker for all tests. It gives a reaction up after one more try, which takes a second or two."""
    environment = told_of(peers, mail_catcher, NEXUS_REACTION_RETRIES="1", NEXUS_PHOTOS_URL=photos_url)
    async with running_service("worker", build, servers, extensions=(), tables=None, **environment) as running:
        yield running


@pytest.fixture
async def world(service: Service, peers: dict[str, Peer], mail_catcher: MailCatcher) -> AsyncIterator[World]:
    """Everything in order before each test, and in working order after it."""
    await service.clean()
    yield World(**peers, mailbox=mail_catcher.url, events=service.events)
    for peer in peers.values():
        peer.failing_with, peer.takes_batches, peer.seconds_for_each = None, True, 0.0
        peer.poison.clear()
