"""A suite of its own for the fault tests: what they kill must not be somebody else's."""

from collections.abc import Iterator

import pytest

from tests.suite import Suite, running_suite


@pytest.fixture(scope="session")
def suite() -> Iterator[Suite]:
    with running_suite() as running:
        yield running
