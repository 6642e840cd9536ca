"""The servers that tests of every folder share: started once per session (and per xdist worker), stopped at its end.

`nexus_kit.testing` holds the rest, and shows the ~25 lines of each service's own conftest.
"""

from collections.abc import Iterator

import pytest
from nexus_kit.testing import Servers, serve_jwks

from tests.servers import running_postgres, running_valkey


@pytest.fixture(scope="session")
def postgres_admin_url() -> Iterator[str]:
    """URL of the superuser of an empty PostgreSQL 18."""
    with running_postgres() as url:
        yield url


@pytest.fixture(scope="session")
def redis_url() -> Iterator[str]:
    """URL of an empty Valkey, without a database: append `/0` for the cache, `/1` for events."""
    with running_valkey() as (url, _):
        yield url


@pytest.fixture(scope="session")
def jwks_url() -> Iterator[str]:
    """URL of a server that publishes the public half of the key that `access_token` signs with."""
    with serve_jwks() as url:
        yield url


@pytest.fixture(scope="session")
def servers(postgres_admin_url: str, redis_url: str, jwks_url: str) -> Servers:
    """All of them: what `running_service` asks for."""
    return Servers(postgres_admin_url, redis_url, jwks_url)
