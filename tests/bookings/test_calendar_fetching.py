"""Strangers' addresses: nothing of our network is reachable through them, and nothing they send hurts."""

import asyncio
import threading
import time
from collections.abc import Iterator

import pytest
from nexus_bookings.calendars.provider import MOST_BYTES, CalendarReader, CannotFetch

from tests.bookings.sites import Site


@pytest.fixture
def site() -> Iterator[Site]:
    with Site().open() as opened:
        yield opened


@pytest.mark.parametrize(
    "host",
    [
        *("127.0.0.1", "localhost", "0.0.0.0", "[::1]", "[::]", "10.0.0.1", "172.16.0.1", "192.168.1.1"),  # noqa: S104
        *("169.254.169.254", "100.64.0.1", "224.0.0.1", "[fe80::1]", "[fd00::1]", "[::ffff:127.0.0.1]"),
        *("[2002:7f00:1::]", "[64:ff9b::7f00:1]", "2130706433", "0x7f.1", "0177.0.0.1", "127.1"),
    ],
)
async def test_no_private_address_is_reached_whatever_it_is_written_like(host: str) -> None:
    async with CalendarReader() as reader:
        with pytest.raises(CannotFetch):
            await reader.fetch(f"http://{host}/listing.ics", None)


async def test_the_machine_itself_is_not_asked(site: Site) -> None:
    async with CalendarReader() as reader:
        with pytest.raises(CannotFetch):
            await reader.fetch(site.url, None)

    assert site.asked == []


async def test_a_redirect_is_looked_at_like_any_address(site: Site) -> None:
    site.status, site.headers = 302, {"Location": site.url.replace("127.0.0.1", "127.0.0.2")}

    async with CalendarReader("127.0.0.1/32") as reader:
        with pytest.raises(CannotFetch, match="public internet"):
            await reader.fetch(site.url, None)


async def test_a_redirect_is_followed_but_not_for_ever(site: Site) -> None:
    site.status, site.headers = 302, {"Location": "/elsewhere.ics"}

    async with CalendarReader("127.0.0.1/32") as reader:
        with pytest.raises(CannotFetch, match="redirects more than 3 times"):
            await reader.fetch(site.url, None)

    assert len(site.asked) == 4


async def test_a_calendar_may_not_be_endless(site: Site) -> None:
    site.content = b"x" * (MOST_BYTES + 1)

    async with CalendarReader("127.0.0.1/32") as reader:
        with pytest.raises(CannotFetch, match="larger than"):
            await reader.fetch(site.url, None)


async def test_a_calendar_is_not_sent_compressed(site: Site) -> None:
    """A small file could become a huge one."""
    site.headers = {"Content-Encoding": "gzip"}

    async with CalendarReader("127.0.0.1/32") as reader:
        with pytest.raises(CannotFetch, match="compressed"):
            await reader.fetch(site.url, None)

    assert site.asked[0]["Accept-Encoding"] == "identity"


async def test_a_slow_site_is_not_waited_for(site: Site) -> None:
    site.seconds = 30

    async with CalendarReader("127.0.0.1/32") as reader:
        started = time.monotonic()
        with pytest.raises(CannotFetch):
            await reader.fetch(site.url, None)

    assert time.monotonic() - started < 12


@pytest.mark.parametrize(
    "url", ["http://user:secret@127.0.0.1/a.ics", "ftp://127.0.0.1/a.ics", "http://", "http://[", "http://a\nb/"]
)
async def test_an_odd_address_is_a_reason_not_a_crash(url: str) -> None:
    async with CalendarReader("127.0.0.1/32") as reader:
        with pytest.raises(CannotFetch):
            await reader.fetch(url, None)


async def test_the_name_is_kept_although_the_address_is_connected_to(site: Site) -> None:
    async with CalendarReader("127.0.0.1/32") as reader:
        fetched = await reader.fetch(site.url.replace("127.0.0.1", "localhost"), None)

    assert fetched is not None
    assert site.asked[0]["Host"].startswith("localhost:")


async def test_sites_that_share_an_address_share_neither_cookies_nor_a_connection(site: Site) -> None:
    """A connection stands for one name: its certificate was checked against no other."""
    site.headers = {"Set-Cookie": "visitor=1"}

    async with CalendarReader("127.0.0.1/32") as reader:
        for name in ("127.0.0.1", "localhost", "127.0.0.1"):
            await reader.fetch(site.url.replace("127.0.0.1", name), None)

    assert len(site.clients) == 3
    assert not any("Cookie" in headers for headers in site.asked)


async def test_names_are_looked_up_where_nobody_else_waits(site: Site) -> None:
    """A stranger's slow name server must not keep the threads in which everybody else's names are looked up."""
    done = threading.Event()
    everybody_else = [asyncio.get_running_loop().run_in_executor(None, done.wait, 30) for _ in range(64)]

    try:
        async with CalendarReader("127.0.0.1/32") as reader, asyncio.timeout(5):
            assert await reader.fetch(site.url, None) is not None
    finally:
        done.set()
        await asyncio.gather(*everybody_else)
