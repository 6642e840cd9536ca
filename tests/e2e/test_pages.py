"""What a person opens in a browser: the portal and the three references, all from our own files."""

import re

import pytest

from tests.actors import Actor


@pytest.mark.parametrize("service", ["auth", "listings", "bookings"])
async def test_each_reference_is_reachable_and_asks_nobody_else(anybody: Actor, service: str) -> None:
    page = await anybody.call("GET", f"{anybody.gateway}/{service}/docs")
    assert page.status_code == 200

    assert not re.search(r"(src|href)=\"(https?:)?//", page.text)
    for asset in re.findall(r"(?:src|href)=\"([^\"]+)\"", page.text):
        assert (await anybody.call("GET", f"{anybody.gateway}/{service}/{asset}")).status_code == 200, asset
    description = (await anybody.call("GET", f"{anybody.gateway}/{service}/openapi.json")).json()
    assert all(path.startswith(("/api/v1/", "/internal/", "/.well-known/")) for path in description["paths"])


async def test_the_portal_is_plain_files_under_a_strict_policy(anybody: Actor) -> None:
    page = await anybody.call("GET", f"{anybody.gateway}/")

    assert page.status_code == 200
    policy = page.headers["content-security-policy"]
    assert "default-src 'none'" in policy or "default-src 'self'" in policy
    assert "unsafe" not in policy
    assert not re.search(r"<script(?![^>]*src=)|<style|style=\"|onclick", page.text)


async def test_every_problem_has_its_page(anybody: Actor) -> None:
    problem = (await anybody.call("GET", "/nowhere")).json()

    page = await anybody.call("GET", f"{anybody.gateway}{problem['type']}")

    assert page.status_code == 200
    assert f'id="{problem["code"]}"' in page.text
