"""One suite for all end-to-end tests: started by `nexus up`, talked to through the gateway."""

from collections.abc import AsyncIterator, Iterator

import pytest

from tests.actors import Actor, newcomers
from tests.suite import Suite, running_suite


@pytest.fixture(scope="session")
def suite() -> Iterator[Suite]:
    with running_suite() as running:
        yield running


@pytest.fixture
async def anybody(suite: Suite) -> AsyncIterator[Actor]:
    """Somebody without an account."""
    async with Actor(suite) as person:
        yield person


@pytest.fixture
async def guest(suite: Suite) -> AsyncIterator[Actor]:
    async with newcomers(suite, "Gebre Guest") as (person,):
        yield person


@pytest.fixture
async def host(suite: Suite) -> AsyncIterator[Actor]:
    async with newcomers(suite, "Hanna Host") as (person,):
        yield person
