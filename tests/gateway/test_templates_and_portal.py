"""The files themselves: templates that the official image renders too, a portal that works alone, problems told."""

import importlib
import re
from pathlib import Path

import httpx
import pytest
from nexus_kit.errors import Problem

from tests.gateway.nginx import GATEWAY, TEMPLATES, Gateway

TEXT = "".join(path.read_text() for path in TEMPLATES.iterdir())
HTML = GATEWAY / "html"


def test_only_our_own_variables_look_like_environment_variables(tmp_path: Path) -> None:
    """The official image replaces `$NEXUS_NAME` and `${NEXUS_NAME}` of every name that it is given."""
    assert set(re.findall(r"\$\{([A-Z]\w*)\}", TEXT)) == Gateway(tmp_path).variables.keys()
    assert not re.findall(r"\$NEXUS_", TEXT)
    assert all(path.suffix == ".template" for path in TEMPLATES.iterdir())


def test_every_variable_is_explained(tmp_path: Path) -> None:
    explained = (GATEWAY / "README.md").read_text()

    assert [name for name in Gateway(tmp_path).variables if f"`{name}`" not in explained] == []


def test_every_location_that_proxies_overwrites_the_forwarding_headers() -> None:
    routes = (TEMPLATES / "routes.conf.template").read_text()

    assert routes.count("proxy_pass") == routes.count("include proxy.conf;") > 0


def test_what_the_gateway_says_of_a_problem_agrees_with_its_page_and_with_the_services() -> None:
    importlib.import_module("nexus_kit.ratelimit")
    texts = re.findall(r'"type":"/problems/(\w+)","title":"([^"]+)","status":(\d+),.*?"code":"(\w+)"', TEXT)
    page = (HTML / "problems" / "index.html").read_text()
    by_code = {kind.code(): kind for kind in every_problem(Problem)}

    assert len(texts) > 12
    for type_, title, status, code in texts:
        assert type_ == code
        assert f'id="{code}"' in page
        if code in by_code:
            assert (title, int(status)) == (by_code[code].title(), by_code[code].status)


def every_problem(kind: type[Problem]) -> list[type[Problem]]:
    return [kind, *(each for child in kind.__subclasses__() for each in every_problem(child))]


@pytest.mark.parametrize("page", ["index.html", "problems/index.html"])
def test_a_page_is_whole_without_a_network_and_under_a_strict_policy(page: str) -> None:
    html = (HTML / page).read_text()

    assert re.findall(r'(?:src|href)="(?!/)', html) == [], "every address is on this gateway"
    assert re.findall(r"<script(?! src=)|<style|\sstyle=|\son\w+=", html) == [], "nothing inline"
    assert "http:" not in html + (HTML / "portal.css").read_text()


@pytest.mark.parametrize("address", ["/problems/dates_unavailable", "/problems/", "/problems/no_such_problem"])
async def test_the_type_of_every_problem_is_an_address_that_can_be_opened(
    client: httpx.AsyncClient, address: str
) -> None:
    answer = await client.get(address)

    assert answer.status_code == 200
    assert answer.headers["Content-Type"] == "text/html; charset=utf-8"
    assert 'id="gateway_timeout"' in answer.text


async def test_what_a_local_run_shows_is_read_anew_each_time_and_absent_elsewhere(
    client: httpx.AsyncClient, gateway: Gateway
) -> None:
    absent = await client.get("/portal.json")
    folder = Path(gateway.variables["NEXUS_PORTAL_DIR"])
    folder.mkdir()  # noqa: ASYNC240 - a test may
    (folder / "portal.json").write_text("{}")

    present = await client.get("/portal.json")
    (folder / "portal.json").unlink()

    assert absent.status_code == 404
    assert (present.json(), present.headers["Cache-Control"]) == ({}, "no-store")


async def test_large_files_of_the_documentation_are_compressed_and_the_api_is_not(client: httpx.AsyncClient) -> None:
    page = await client.get("/portal.css")
    api = await client.get("/api/v1/listings")

    assert page.headers["Content-Encoding"] == "gzip"
    assert "Content-Encoding" not in api.headers, "a weakened ETag would no longer do for If-Match"
