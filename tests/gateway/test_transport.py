"""Connections: TLS and HTTP/2 to the client, redirects, retries and names towards the services, and reloads."""

import asyncio
import contextlib
import socket
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import cast

import httpx
import pytest

from tests.gateway.nginx import Gateway, eventually, running_gateway
from tests.gateway.upstream import Upstream


async def test_plain_http_is_redirected_to_https_with_method_and_query_kept(gateway: Gateway) -> None:
    for port in (gateway.http_port, gateway.https_port):
        async with httpx.AsyncClient(trust_env=False) as client:
            forged = {"Host": "evil.example"}
            answer = await client.post(f"http://localhost:{port}/api/v1/quotes?a=b", headers=forged)

        assert answer.status_code == 308
        assert answer.headers["Location"] == f"{gateway.url}/api/v1/quotes?a=b"


def shake_hands(gateway: Gateway, context: ssl.SSLContext) -> tuple[str | None, str | None, str]:
    """What both sides agreed on: application protocol, version of TLS, cipher."""
    with (
        socket.create_connection(("127.0.0.1", gateway.https_port)) as plain,
        context.wrap_socket(plain, server_hostname="localhost") as secure,
    ):
        return secure.selected_alpn_protocol(), secure.version(), (secure.cipher() or ("",))[0]


async def test_http_2_is_offered(gateway: Gateway) -> None:
    context = gateway.tls
    context.set_alpn_protocols(["h2", "http/1.1"])

    protocol, version, _ = await asyncio.to_thread(shake_hands, gateway, context)

    assert (protocol, version) == ("h2", "TLSv1.3")


async def test_tls_1_2_is_spoken_with_forward_secrecy_only(gateway: Gateway) -> None:
    context = gateway.tls
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    _, _, cipher = await asyncio.to_thread(shake_hands, gateway, context)
    assert cipher.startswith("ECDHE")

    context.set_ciphers("AES128-GCM-SHA256")
    with pytest.raises(ssl.SSLError):
        await asyncio.to_thread(shake_hands, gateway, context)


async def test_a_reload_fails_no_request(gateway: Gateway) -> None:
    failures: list[object] = []
    stop = asyncio.Event()

    async def ask_on() -> None:
        async with gateway.client() as client:
            while not stop.is_set():
                try:
                    answer = await client.get("/api/v1/bookings")
                except httpx.TransportError as error:
                    failures.append(error)
                else:
                    failures.extend([] if answer.status_code == 200 else [answer])

    clients = [asyncio.create_task(ask_on()) for _ in range(4)]
    for _ in range(3):
        await asyncio.sleep(0.4)
        gateway.reload()
    await asyncio.sleep(0.4)
    stop.set()
    await asyncio.gather(*clients)

    assert failures == []


@asynccontextmanager
async def hangs_up_on_every_second_request(seen: list[bytes]) -> AsyncIterator[str]:
    """A service that answers the first request of a connection and hangs up on the next one, having read it."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for answer in (b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}", b""):
            with contextlib.suppress(asyncio.IncompleteReadError):
                seen.append((await reader.readuntil(b"\r\n\r\n")).split(b" ")[0])
                writer.write(answer)
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        yield f"127.0.0.1:{server.sockets[0].getsockname()[1]}"


@pytest.mark.parametrize(("method", "status", "times_sent"), [("POST", 502, 2), ("PATCH", 502, 2), ("GET", 200, 3)])
async def test_a_request_that_may_have_taken_effect_is_not_sent_twice(
    tmp_path: Path, method: str, status: int, times_sent: int
) -> None:
    seen: list[bytes] = []
    async with (
        hangs_up_on_every_second_request(seen) as address,
        running_gateway(tmp_path, NEXUS_BOOKINGS_UPSTREAM=address, NEXUS_GATEWAY_WORKERS="1") as gateway,
        gateway.client() as client,
    ):
        first = await client.request(method, "/api/v1/bookings")
        second = await client.request(method, "/api/v1/bookings")

    assert (first.status_code, second.status_code) == (200, status)
    assert len(seen) == times_sent


class Names(asyncio.DatagramProtocol):
    """A name server that knows one answer: 127.0.0.1."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.DatagramTransport", transport)

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        question = data[12 : data.index(b"\0", 12) + 5]
        answer = b"\xc0\x0c\0\1\0\1\0\0\0\x05\0\4\x7f\0\0\1"
        self.transport.sendto(data[:2] + b"\x81\x80\0\1\0\1\0\0\0\0" + question + answer, addr)


async def test_services_may_be_given_by_name(services: dict[str, Upstream], tmp_path: Path) -> None:
    transport, _ = await asyncio.get_running_loop().create_datagram_endpoint(Names, local_addr=("127.0.0.1", 0))
    variables = {
        "NEXUS_RESOLVER": "127.0.0.1:{}".format(transport.get_extra_info("sockname")[1]),
        "NEXUS_AUTH_UPSTREAM": f"auth:{services['auth'].port}",
    }
    async with running_gateway(tmp_path, **variables) as gateway, gateway.client() as client:

        async def found() -> bool:
            return (await client.get("/api/v1/auth/me")).status_code == 200

        await eventually(found)  # the first look-up may still be under way
    transport.close()
