"""The whole suite on one page: which processes there are, what each is told, and who waits for whom.

The supervisor runs this table; `docker-compose.yml` says the same for containers.
"""

import signal
import sys
from pathlib import Path

from nexus_local import gateway, postgres, probes, valkey
from nexus_local.processes import Process
from nexus_local.suite import Suite
from nexus_local.unprivileged import server_identity


def topology(suite: Suite, *, seed: bool) -> list[Process]:
    """Every process, in the order in which a reader wants to meet them."""
    processes = [*stores(suite), *outside_world(suite), *services(suite), entrance(suite)]
    if seed:
        processes.append(
            Process("seed", _python("nexus_local.seed", str(suite.folder.root)), after=("gateway", "worker"))
        )
    return processes


def stores(suite: Suite) -> list[Process]:
    """What keeps data."""
    data, ports = suite.folder.root, suite.ports
    return [
        Process(
            "postgres",
            postgres.command(data / "postgres", ports["postgres"]),
            probes.accepts_logins(ports["postgres"]),
            prepare=lambda: _prepare_postgres(suite),
            url=f"postgresql://127.0.0.1:{ports['postgres']}",
            stop=signal.SIGINT,  # fast: roll back and leave; SIGTERM would wait for every client
            grace_seconds=30,
            account=server_identity(),
            directory=Path("/"),
        ),
        Process(
            "valkey",
            valkey.command(data / "valkey", ports["valkey"], suite.secrets.valkey_password),
            probes.pongs(ports["valkey"], suite.secrets.valkey_password),
            url=f"redis://127.0.0.1:{ports['valkey']}",
        ),
    ]


def outside_world(suite: Suite) -> list[Process]:
    """Simulators of what is not ours: the mail server and the payment provider."""
    data, ports, url = suite.folder.root, suite.ports, suite.local_url
    return [
        Process(
            "mail",
            _python(
                "nexus_local.mail",
                f"--data={data / 'mail'}",
                f"--smtp-port={ports['mail (smtp)']}",
                f"--http-port={ports['mail']}",
            ),
            probes.http_ok(ports["mail"], "/readyz"),
            url=url("mail"),
        ),
        Process(
            "payments",
            _python(
                "nexus_local.payments",
                f"--data={data / 'payments'}",
                f"--port={ports['payments']}",
                f"--webhook-url={url('bookings')}/api/v1/payments/chapa/webhook",
            ),
            probes.http_ok(ports["payments"], "/readyz"),
            environment=_chapa(suite),
            url=url("payments"),
        ),
    ]


def services(suite: Suite) -> list[Process]:
    """Ours, each on a database and a role of its own."""
    data, ports, url = suite.folder.root, suite.ports, suite.local_url
    return [
        Process("migrations", _python("nexus_local.migrate", str(data)), after=("postgres",)),
        _service(suite, "auth", {"NEXUS_SIGNING_KEY": suite.secrets.signing_key}),
        _service(suite, "listings", {"NEXUS_PHOTOS_URL": _photos(suite)}),
        _service(
            suite,
            "bookings",
            {
                "NEXUS_AUTH_URL": url("auth"),
                "NEXUS_LISTINGS_URL": url("listings"),
                "NEXUS_CHAPA_URL": url("payments"),
                "NEXUS_CHAPA_MODE": "test",
                **_chapa(suite),
            },
            after=("payments",),
        ),
        _service(
            suite,
            "worker",
            {
                "NEXUS_AUTH_URL": url("auth"),
                "NEXUS_LISTINGS_URL": url("listings"),
                "NEXUS_BOOKINGS_URL": url("bookings"),
                "NEXUS_SMTP_URL": f"smtp://127.0.0.1:{ports['mail (smtp)']}",
                "NEXUS_MAIL_FROM": "Nexus <no-reply@nexus.localhost>",
                "NEXUS_PHOTOS_URL": _photos(suite),
            },
            after=("mail",),
        ),
    ]


def entrance(suite: Suite) -> Process:
    """The only one that others than this machine can reach."""
    return Process(
        "gateway",
        gateway.command(suite),
        probes.accepts(suite.ports["gateway"]),
        after=("auth", "listings", "bookings"),
        prepare=lambda: gateway.prepare(suite),
        url=suite.gateway_url,
        stop=signal.SIGQUIT,  # graceful: requests in flight are answered
    )


def service_environment(suite: Suite, name: str) -> dict[str, str]:
    """What every service is told. `.env.example` explains each name."""
    return {
        "NEXUS_DATABASE_URL": suite.database_url(name),
        "NEXUS_CACHE_URL": suite.valkey_url(0),
        "NEXUS_EVENTS_URL": suite.valkey_url(1),
        "NEXUS_INTERNAL_SECRET": suite.secrets.internal_secret,
        "NEXUS_ISSUER": suite.gateway_url,
        "NEXUS_PUBLIC_URL": suite.gateway_url,
        "NEXUS_JWKS_URL": f"{suite.local_url('auth')}/.well-known/jwks.json",
    }


def _service(
    suite: Suite, name: str, environment: dict[str, str] | None = None, after: tuple[str, ...] = ()
) -> Process:
    port = suite.ports[name]
    return Process(
        name,
        _python(
            "uvicorn",
            "--factory",
            f"nexus_{name}.main:build",
            "--host=127.0.0.1",
            f"--port={port}",
            "--loop=uvloop",
            "--http=nexus_kit.protocol:HttpProtocol",
            "--no-access-log",
            "--no-server-header",
            "--forwarded-allow-ips=127.0.0.1",
            "--timeout-keep-alive=75",  # longer than the gateway's, which must be the one who closes
            "--timeout-graceful-shutdown=10",
        ),
        probes.http_ok(port, "/readyz"),
        after=("migrations", "valkey", *after),
        environment={**service_environment(suite, name), **(environment or {})},
        url=suite.local_url(name),
    )


def _photos(suite: Suite) -> str:
    return (suite.folder.root / "photos").absolute().as_uri()


def _chapa(suite: Suite) -> dict[str, str]:
    return {
        "NEXUS_CHAPA_SECRET_KEY": suite.secrets.chapa_secret_key,
        "NEXUS_CHAPA_WEBHOOK_SECRET": suite.secrets.chapa_webhook_secret,
    }


def _python(module: str, *arguments: str) -> list[str]:
    return [sys.executable, "-m", module, *arguments]


def _prepare_postgres(suite: Suite) -> None:
    cluster = suite.folder.root / "postgres"
    postgres.initialise(cluster, suite.secrets.postgres_password)
    postgres.release(cluster)
