"""Reads calendars at addresses that hosts name: nothing is believed, and nothing of our network is reachable.

`service.py` gets what `CalendarReader.fetch` brings. The checks are those of OWASP's sheet on server-side request
forgery: https://cheatsheetseries.owasp.org/cheatsheets/Server_Side_Request_Forgery_Prevention_Cheat_Sheet.html
"""

import asyncio
import socket
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from http.cookiejar import CookieJar, DefaultCookiePolicy
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address, ip_network
from types import TracebackType
from typing import Self

import httpx

MOST_BYTES = 1024 * 1024
MOST_SECONDS = 10.0
MOST_REDIRECTS = 3
_LOOKUPS_AT_ONCE = 10
_NAT64 = IPv6Network("64:ff9b::/96")


class CannotFetch(Exception):
    """The calendar cannot be read now. The text is for its host: it names no address of ours."""


@dataclass(frozen=True)
class Fetched:
    """A calendar as it came."""

    content: bytes
    etag: str | None


class CalendarReader:
    """One HTTP client for all calendars. `private_networks` (CIDR, comma-separated) may be read although private."""

    def __init__(self, private_networks: str = "") -> None:
        self._private_networks = [ip_network(each.strip()) for each in private_networks.split(",") if each.strip()]
        # trust_env: a proxy from the environment would connect for us, to addresses that nobody has checked.
        # Sites that share an address share nothing else: no cookie, and no connection, which stands for the name that
        # its certificate was checked against.
        self._client = httpx.AsyncClient(
            trust_env=False,
            follow_redirects=False,
            timeout=httpx.Timeout(5.0),
            cookies=CookieJar(DefaultCookiePolicy(allowed_domains=[])),
            limits=httpx.Limits(max_keepalive_connections=0),
        )
        # A name whose server is slow keeps a thread for long: none of those in which the payment provider's is found.
        self._lookups = ThreadPoolExecutor(_LOOKUPS_AT_ONCE, "calendar-name")

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self._client.aclose()
        self._lookups.shutdown(wait=False, cancel_futures=True)

    async def fetch(self, url: str, etag: str | None) -> Fetched | None:
        """The calendar, or None if it is still the one with that ETag. Raises `CannotFetch`."""
        try:
            async with asyncio.timeout(MOST_SECONDS):
                for _ in range(1 + MOST_REDIRECTS):
                    found = await self._look(httpx.URL(url), etag)
                    if not isinstance(found, httpx.URL):
                        return found
                    url = str(found)
        except TimeoutError as exc:
            raise CannotFetch(f"It took longer than {MOST_SECONDS:.0f} seconds.") from exc
        except (httpx.HTTPError, httpx.InvalidURL, OSError, UnicodeError, ValueError) as exc:
            raise CannotFetch("There is no answer from that address.") from exc
        raise CannotFetch(f"It redirects more than {MOST_REDIRECTS} times.")

    async def _look(self, url: httpx.URL, etag: str | None) -> Fetched | httpx.URL | None:
        """One request: what came, where to look instead, or None for "not modified"."""
        address = await self._address(url)
        headers = {"Host": url.netloc.decode("ascii"), "Accept": "text/calendar", "Accept-Encoding": "identity"}
        if etag:
            headers["If-None-Match"] = etag
        # The checked address is the one that is connected to: a name could mean another one a moment later. The
        # certificate is still checked against the name.
        request = self._client.build_request(
            "GET", url.copy_with(host=str(address)), headers=headers, extensions={"sni_hostname": url.host}
        )
        answer = await self._client.send(request, stream=True)
        try:
            if answer.status_code == 304:
                return None
            if answer.has_redirect_location:
                return url.join(answer.headers["Location"])
            if answer.status_code != 200:
                raise CannotFetch(f"That address answers with {answer.status_code}.")
            if answer.headers.get("Content-Encoding", "identity") != "identity":
                raise CannotFetch("It is compressed, which was not asked for.")
            return Fetched(await _read(answer), answer.headers.get("ETag"))
        finally:
            await answer.aclose()

    async def _address(self, url: httpx.URL) -> IPv4Address | IPv6Address:
        if url.scheme not in ("http", "https") or not url.host or url.userinfo:
            raise CannotFetch("It must be an http or https address without a login.")
        port = url.port or (443 if url.scheme == "https" else 80)
        found = await asyncio.get_running_loop().run_in_executor(
            self._lookups, lambda: socket.getaddrinfo(url.host, port, type=socket.SOCK_STREAM)
        )
        addresses = [ip_address(each[4][0]) for each in found]
        for address in addresses:
            if any(address in network for network in self._private_networks):
                return address
        if not all(_is_public(address) for address in addresses):
            raise CannotFetch("That address is not on the public internet.")
        if url.port is not None:
            raise CannotFetch("It must use the ordinary port.")
        return addresses[0]


def _is_public(address: IPv4Address | IPv6Address) -> bool:
    """Not ours, not a neighbour's, not this machine; an IPv4 address in IPv6 clothes is looked at as what it is."""
    if isinstance(address, IPv6Address):
        if address in _NAT64:
            return False
        address = address.ipv4_mapped or address.sixtofour or address
    return address.is_global and not address.is_multicast and not address.is_reserved


async def _read(answer: httpx.Response) -> bytes:
    content = bytearray()
    async for chunk in answer.aiter_raw():
        content += chunk
        if len(content) > MOST_BYTES:
            raise CannotFetch(f"It is larger than {MOST_BYTES // 1024} KiB.")
    return bytes(content)
