"""What every service's tests build on: a database made by its migrations, the app as production builds it, and tokens.

The servers come from `tests/conftest.py`. A service's own `tests/<service>/conftest.py` is this, with its name:

    @pytest.fixture(scope="session")
    async def service(servers: Servers) -> AsyncIterator[Service]:
        async with running_service("auth", build, servers, NEXUS_SIGNING_KEY=SIGNING_KEY.private_pem) as service:
            yield service

    @pytest.fixture
    async def client(service: Service) -> AsyncIterator[httpx.AsyncClient]:
        await service.clean()
        async with service.client() as client:
            yield client

and a test reads

    async def test_a_draft_is_invisible_to_strangers(client: httpx.AsyncClient) -> None:
        draft = await client.post("/api/v1/listings", json=..., headers=signed_in(host))

        answer = await client.get(draft.headers["Location"], headers=signed_in())

        assert answer.status_code == 404
"""

import asyncio
import base64
import hashlib
import inspect
import itertools
import json
import os
import sys
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import httpx
import redis.asyncio as redis
import stamina
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from fastapi import FastAPI
from jose import jwt
from nexus_contracts import access_token as tokens
from nexus_contracts.envelope import CloudEvent, parse
from sqlalchemy import URL, MetaData, make_url, select, text
from sqlalchemy.ext.asyncio import create_async_engine

from nexus_kit.db import Database
from nexus_kit.errors import Busy
from nexus_kit.outbox import OUTBOX, document
from nexus_kit.tokens import mint_service_token

PUBLIC_URL = "https://nexus.test"
INTERNAL_SECRET = "a-secret-that-only-these-tests-know"  # noqa: S105
_PASSWORD = "only-in-tests"  # noqa: S105

_redis_databases = itertools.count(step=2)


@dataclass(frozen=True)
class Servers:
    """Where this session's servers listen."""

    postgres_admin_url: str
    """`postgresql://…` of a superuser."""
    redis_url: str
    """`redis://…` without a database."""
    jwks_url: str


# ------------------------------------------------------------------------------------------------ a running service


@dataclass
class Service:
    """One service running inside the test process, with a database and two Redis databases of its own."""

    app: FastAPI
    database: Database
    """The app's own, for what no client can do: look behind, and make time pass."""
    cache: redis.Redis
    events: redis.Redis

    def client(self, **headers: str) -> httpx.AsyncClient:
        """A client with cookies of its own. An exception that leaves the app is raised in the test."""
        return client_of(self.app, **headers)

    async def clean(self, *, keep: Sequence[str] = ()) -> None:
        """Empty the tables (but `keep`) and the cache, not the streams: give each test new ids instead."""
        await truncate(self.database, keep=keep)
        await self.cache.flushdb()

    async def published(self) -> list[CloudEvent[Any]]:
        """The facts emitted since `clean`."""
        return await published(self.database)


@asynccontextmanager
async def running_service(
    name: str,
    build: Callable[[], FastAPI],
    servers: Servers,
    *,
    extensions: Sequence[str] = (),
    tables: MetaData | None = None,
    **environment: str,
) -> AsyncIterator[Service]:
    """Migrate a new database `nexus_<name>`, build the app from the environment alone, and run its lifespan.

    `extensions` are those that only a superuser may create, as the operator does before the first migration. An app
    without migrations names its `tables` instead.
    """
    alembic_ini = None if tables else Path(inspect.getfile(build)).parents[1] / "alembic.ini"
    url = await create_database(servers.postgres_admin_url, f"nexus_{name}", alembic_ini, extensions=extensions)
    if tables:
        await _create(url, tables)
    first = next(_redis_databases)
    cache_url, events_url = f"{servers.redis_url}/{first}", f"{servers.redis_url}/{first + 1}"
    with _environment(
        NEXUS_DATABASE_URL=url,
        NEXUS_CACHE_URL=cache_url,
        NEXUS_EVENTS_URL=events_url,
        NEXUS_JWKS_URL=servers.jwks_url,
        NEXUS_INTERNAL_SECRET=INTERNAL_SECRET,
        NEXUS_ISSUER=PUBLIC_URL,
        NEXUS_PUBLIC_URL=PUBLIC_URL,
        **environment,
    ):
        app = build()
    async with redis.from_url(cache_url) as cache, redis.from_url(events_url) as events, running(app):
        yield Service(app, app.state.runtime.database, cache, events)


@asynccontextmanager
async def running(app: FastAPI) -> AsyncIterator[FastAPI]:
    """Run the app's lifespan in a task of its own: fixtures may set up and tear down in different tasks."""
    started, stop = asyncio.Event(), asyncio.Event()

    async def live() -> None:
        async with app.router.lifespan_context(app):
            started.set()
            await stop.wait()

    life, ready = asyncio.create_task(live()), asyncio.create_task(started.wait())
    await asyncio.wait({life, ready}, return_when=asyncio.FIRST_COMPLETED)
    ready.cancel()
    try:
        if started.is_set():
            yield app
    finally:
        stop.set()
        await life


def client_of(app: FastAPI, **headers: str) -> httpx.AsyncClient:
    """A client that calls the app without a socket."""
    return httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url=PUBLIC_URL, headers=headers)


@contextmanager
def _environment(**variables: str) -> Iterator[None]:
    before = os.environ.copy()
    os.environ.update(variables)
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)


# ------------------------------------------------------------------------------------------------ databases


async def create_database(
    admin_url: str, name: str, alembic_ini: Path | str | None = None, *, extensions: Sequence[str] = ()
) -> str:
    """Make a database owned by a role of the same name, run the migrations as that role, return its asyncpg URL."""
    server = make_url(admin_url).set(drivername="postgresql+asyncpg")
    await _execute(server, f"CREATE ROLE {name} LOGIN PASSWORD '{_PASSWORD}'", f"CREATE DATABASE {name} OWNER {name}")
    if extensions:
        await _execute(server.set(database=name), *(f"CREATE EXTENSION {each} CASCADE" for each in extensions))
    url = server.set(username=name, password=_PASSWORD, database=name).render_as_string(hide_password=False)
    if alembic_ini is not None:
        await _migrate(url, alembic_ini)
    return url


async def _execute(url: URL, *statements: str) -> None:
    engine = create_async_engine(url, isolation_level="AUTOCOMMIT")
    async with engine.connect() as connection:
        for statement in statements:
            await connection.execute(text(statement))
    await engine.dispose()


async def _migrate(url: str, alembic_ini: Path | str) -> None:
    job = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "alembic", "-c", str(alembic_ini), "upgrade", "head"),
        env={**os.environ, "NEXUS_DATABASE_URL": url},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    output, _ = await job.communicate()
    if job.returncode:
        raise RuntimeError(f"migrations of {alembic_ini} failed:\n{output.decode()}")


async def _create(url: str, tables: MetaData) -> None:
    engine = create_async_engine(url)
    async with engine.begin() as connection:
        await connection.run_sync(tables.create_all)
    await engine.dispose()


async def truncate(database: Database, *, keep: Sequence[str] = ()) -> None:
    """Empty every table but `keep` and alembic's own."""
    # The app's own timers lock tables in their order, not in ours: one of the two may have to begin again.
    async for attempt in stamina.retry_context(on=Busy, wait_initial=0.05):
        with attempt:
            async with database.unit_of_work() as session:
                found = "SELECT tablename FROM pg_tables WHERE schemaname = 'public' ORDER BY 1"
                tables = [name for name in await session.scalars(text(found)) if name not in {"alembic_version", *keep}]
                if tables:
                    names = ", ".join(f'"{name}"' for name in tables)
                    await session.execute(text(f"TRUNCATE {names} RESTART IDENTITY"))


async def published(database: Database) -> list[CloudEvent[Any]]:
    """The outbox as events, oldest first, whether or not the relay has sent them yet."""
    async with database.unit_of_work() as session:
        rows = (await session.execute(select(OUTBOX).order_by(OUTBOX.c.id))).all()
    return [parse(document(row, row.type.split(".")[1])) for row in rows]


# ------------------------------------------------------------------------------------------------ tokens


@dataclass(frozen=True)
class SigningKey:
    """An ES256 key pair; its id is the thumbprint of the public half (RFC 7638)."""

    private: ec.EllipticCurvePrivateKey = field(default_factory=lambda: ec.generate_private_key(ec.SECP256R1()))

    @property
    def private_pem(self) -> str:
        """PKCS #8, as NEXUS_SIGNING_KEY takes it."""
        return self.private.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        ).decode()

    @property
    def public_pem(self) -> str:
        """SubjectPublicKeyInfo."""
        return (
            self.private.public_key()
            .public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
            .decode()
        )

    @property
    def jwk(self) -> dict[str, str]:
        """The public half as auth publishes it."""
        point = self.private.public_key().public_numbers()
        required = {"crv": "P-256", "kty": "EC", "x": _coordinate(point.x), "y": _coordinate(point.y)}
        thumbprint = hashlib.sha256(json.dumps(required, separators=(",", ":")).encode()).digest()
        return {**required, "kid": _base64url(thumbprint), "alg": "ES256", "use": "sig"}

    @property
    def kid(self) -> str:
        """The key's id."""
        return self.jwk["kid"]


def _coordinate(number: int) -> str:
    return _base64url(number.to_bytes(32, "big"))


def _base64url(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


SIGNING_KEY = SigningKey()
"""The key of this session: `serve_jwks` publishes it, `access_token` signs with it."""


def access_token(
    user_id: UUID | None = None,
    *,
    roles: Sequence[str] = ("user",),
    email_verified: bool = True,
    expires_in: int = tokens.ACCESS_TOKEN_SECONDS,
    key: SigningKey = SIGNING_KEY,
    header: Mapping[str, Any] | None = None,
    **claims: Any,
) -> str:
    """A real access token. `claims` and `header` replace what an honest one holds; None leaves it out."""
    now = int(time.time())
    honest = {
        "iss": PUBLIC_URL,
        "aud": tokens.AUDIENCE,
        "sub": str(user_id or uuid4()),
        "sid": str(uuid4()),
        "jti": str(uuid4()),
        "iat": now,
        "exp": now + expires_in,
        "roles": list(roles),
        "email_verified": email_verified,
    }
    return jwt.encode(
        _without_none(honest | claims),
        key.private_pem,
        tokens.ACCESS_TOKEN_ALGORITHM,
        headers=_without_none({"typ": tokens.ACCESS_TOKEN_TYPE, "kid": key.kid, **(header or {})}),
    )


def service_token(caller: str, audience: str) -> str:
    """The token by which one service calls an internal route of another."""
    return mint_service_token(INTERNAL_SECRET, caller=caller, audience=audience)


def signed_in(user_id: UUID | None = None, **how: Any) -> dict[str, str]:
    """The header of a user; `how` as for `access_token`."""
    return {"Authorization": f"Bearer {access_token(user_id, **how)}"}


def from_service(caller: str, audience: str) -> dict[str, str]:
    """The header of a service."""
    return {"Authorization": f"Bearer {service_token(caller, audience)}"}


def _without_none(members: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in members.items() if value is not None}


@contextmanager
def serve_jwks(*keys: SigningKey) -> Iterator[str]:
    """Publish the public keys over HTTP, as auth does; yields the URL."""
    document = json.dumps({"keys": [key.jwk for key in keys or (SIGNING_KEY,)]}).encode()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Type", "application/jwk-set+json")
            self.send_header("Content-Length", str(len(document)))
            self.end_headers()
            self.wfile.write(document)

        def log_message(self, *_: Any) -> None:
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}/.well-known/jwks.json"
        server.shutdown()
        thread.join()
