"""A host drafts, publishes, changes, hides and removes a listing; nobody else can, and nobody else sees a draft."""

from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest
from nexus_contracts.listings import ListingStatus
from nexus_kit.testing import Service, signed_in
from nexus_listings.listings.models import LEGAL_MOVES

from tests.listings.given import API, COMPLETE, a_draft, a_listing, change, titles


async def test_a_title_is_enough_for_a_draft(host: httpx.AsyncClient, host_id: UUID) -> None:
    answer = await host.post(f"{API}/listings", json={"title": "  Somewhere  "})

    draft = answer.json()
    assert answer.status_code == 201
    assert answer.headers["Location"] == f"{API}/listings/{draft['id']}"
    assert answer.headers["ETag"] == '"1"'
    assert (draft["title"], draft["status"], draft["host_id"]) == ("Somewhere", "draft", str(host_id))
    assert (draft["price"], draft["units"], draft["max_nights"], draft["amenities"]) == (None, 1, 365, [])
    assert draft["cleaning_fee"] == {"amount": 0, "currency": "ETB"}
    assert draft["created_at"].endswith("Z")


async def test_everything_that_was_sent_is_kept(host: httpx.AsyncClient) -> None:
    sent = COMPLETE | {
        "cleaning_fee": {"amount": 30000, "currency": "ETB"},
        "units": 3,
        "amenities": ["wifi", "pool", "wifi"],
        "min_nights": 2,
        "max_nights": 14,
        "instant_book": False,
        "cancellation_policy": "strict",
    }

    draft = await a_draft(host, **sent)

    assert {name: draft[name] for name in sent} == sent | {"amenities": ["pool", "wifi"]}


async def test_a_draft_is_visible_to_its_host_alone(client: httpx.AsyncClient, host: httpx.AsyncClient) -> None:
    draft = await a_draft(host)

    seen_by_host = await host.get(f"{API}/listings/{draft['id']}")
    seen_by_stranger = await client.get(f"{API}/listings/{draft['id']}")
    seen_by_user = await client.get(f"{API}/listings/{draft['id']}", headers=signed_in())

    assert seen_by_host.json() == draft
    assert seen_by_host.headers["Cache-Control"] == "private, no-cache"
    assert seen_by_stranger.status_code == seen_by_user.status_code == 404
    assert await titles(client) == []


async def test_a_published_listing_is_read_by_everybody(client: httpx.AsyncClient, host: httpx.AsyncClient) -> None:
    listing = await a_listing(host)

    answer = await client.get(f"{API}/listings/{listing['id']}")

    assert answer.json() == listing
    assert listing["status"] == "published"
    assert answer.headers["ETag"] == '"2"'
    assert await titles(client) == [COMPLETE["title"]]


async def test_publishing_says_everything_that_is_missing_at_once(host: httpx.AsyncClient) -> None:
    draft = (await host.post(f"{API}/listings", json={"title": "Bare", "city": "Gondar"})).json()

    answer = await host.post(f"{API}/listings/{draft['id']}/publish")

    assert (answer.status_code, answer.json()["code"]) == (422, "listing_incomplete")
    assert {error["pointer"] for error in answer.json()["errors"]} == {
        *("/description", "/category", "/country", "/latitude", "/longitude", "/timezone", "/price", "/capacity"),
    }


async def test_publishing_needs_a_verified_address(service: Service, client: httpx.AsyncClient) -> None:
    async with service.client(**signed_in(email_verified=False)) as newcomer:
        draft = await a_draft(newcomer)

        answer = await newcomer.post(f"{API}/listings/{draft['id']}/publish")

    assert (answer.status_code, answer.json()["code"]) == (403, "email_not_verified")


async def test_drafting_needs_a_user(client: httpx.AsyncClient) -> None:
    assert (await client.post(f"{API}/listings", json=COMPLETE)).status_code == 401


@pytest.mark.parametrize("start", ListingStatus)
@pytest.mark.parametrize("move", ["publish", "unpublish"])
async def test_a_move_is_made_if_the_table_allows_it_and_refused_if_not(
    host: httpx.AsyncClient, start: ListingStatus, move: str
) -> None:
    listing = await a_draft(host)
    for step in {"published": ["publish"], "unpublished": ["publish", "unpublish"]}.get(start, []):
        assert (await host.post(f"{API}/listings/{listing['id']}/{step}")).status_code == 200
    if start is ListingStatus.ARCHIVED:
        await host.delete(f"{API}/listings/{listing['id']}")

    answer = await host.post(f"{API}/listings/{listing['id']}/{move}")

    legal = ListingStatus(f"{move}ed") in LEGAL_MOVES[start]
    assert answer.status_code == (200 if legal else 409)
    assert legal or answer.json()["code"] == "illegal_transition"


async def test_publishing_again_does_not_make_a_listing_newer(host: httpx.AsyncClient) -> None:
    listing = await a_listing(host)

    await host.post(f"{API}/listings/{listing['id']}/unpublish")
    again = await host.post(f"{API}/listings/{listing['id']}/publish")

    assert again.json()["published_at"] == listing["published_at"]


async def test_a_change_needs_the_present_version(host: httpx.AsyncClient) -> None:
    listing = await a_draft(host)
    address, body = f"{API}/listings/{listing['id']}", {"title": "Renamed"}

    without = await host.patch(address, json=body)
    stale = await host.patch(address, json=body, headers={"If-Match": '"7"'})
    current = await host.patch(address, json=body, headers={"If-Match": '"1"'})

    assert (without.status_code, without.json()["code"]) == (428, "precondition_required")
    assert (stale.status_code, stale.json()["code"]) == (412, "precondition_failed")
    assert (current.status_code, current.headers["ETag"], current.json()["title"]) == (200, '"2"', "Renamed")


async def test_what_is_left_out_of_a_change_stays(host: httpx.AsyncClient) -> None:
    listing = await a_draft(host)

    changed = await change(host, listing["id"], price={"amount": 1, "currency": "ETB"}, city=None)

    kept = listing | {"price": {"amount": 1, "currency": "ETB"}, "city": None}
    assert {**changed.json(), "updated_at": ""} == {**kept, "updated_at": ""}
    assert changed.json()["updated_at"] > listing["updated_at"]


async def test_a_change_that_changes_nothing_makes_no_version(host: httpx.AsyncClient) -> None:
    listing = await a_listing(host)

    answer = await change(host, listing["id"], title=listing["title"], price=listing["price"], amenities=[])

    assert answer.headers["ETag"] == '"2"'


async def test_a_listing_that_was_published_stays_complete(host: httpx.AsyncClient) -> None:
    listing = await a_listing(host)

    answer = await change(host, listing["id"], timezone=None, price=None)

    assert (answer.status_code, answer.json()["code"]) == (422, "listing_incomplete")
    assert [error["pointer"] for error in answer.json()["errors"]] == ["/timezone", "/price"]


@pytest.mark.parametrize(
    ("changes", "code"),
    [({"category": "castle"}, "unknown_category"), ({"min_nights": 9, "max_nights": 8}, "nights_inverted")],
)
async def test_what_the_database_refuses_has_a_name(
    host: httpx.AsyncClient, changes: dict[str, Any], code: str
) -> None:
    listing = await a_draft(host)

    drafted = await host.post(f"{API}/listings", json=COMPLETE | changes)
    changed = await change(host, listing["id"], **changes)

    assert (drafted.status_code, drafted.json()["code"]) == (422, code)
    assert (changed.status_code, changed.json()["code"]) == (422, code)


async def test_of_two_changes_to_one_version_one_is_refused(host: httpx.AsyncClient) -> None:
    address = f"{API}/listings/{(await a_draft(host))['id']}"

    first = await host.patch(address, json={"title": "First"}, headers={"If-Match": '"1"'})
    second = await host.patch(address, json={"title": "Second"}, headers={"If-Match": '"1"'})

    assert (first.status_code, second.status_code) == (200, 412)
    assert (await host.get(address)).json()["title"] == "First"


async def test_somebody_elses_listing_is_not_found_by_any_write(
    client: httpx.AsyncClient, host: httpx.AsyncClient
) -> None:
    address = f"{API}/listings/{(await a_listing(host))['id']}"
    client.headers.update(signed_in())

    answers = [
        await client.patch(address, json={"title": "Mine"}, headers={"If-Match": '"2"'}),
        await client.delete(address),
        await client.post(f"{address}/publish"),
        await client.post(f"{address}/unpublish"),
    ]

    assert [answer.status_code for answer in answers] == [404] * 4


async def test_a_removed_listing_is_gone_for_guests_and_archived_for_its_host(
    client: httpx.AsyncClient, host: httpx.AsyncClient
) -> None:
    address = f"{API}/listings/{(await a_listing(host))['id']}"

    removed = await host.delete(address)
    again = await host.delete(address)

    assert (removed.status_code, again.status_code) == (204, 204)
    assert (await client.get(address)).status_code == 404
    assert await titles(client) == []
    kept = await host.get(address)
    assert (kept.json()["status"], kept.headers["ETag"]) == ("archived", '"3"')
    changed = await host.patch(address, json={"title": "Back"}, headers={"If-Match": '"3"'})
    assert (changed.status_code, changed.json()["code"]) == (409, "listing_archived")


async def test_mine_shows_all_states_page_by_page(client: httpx.AsyncClient, host: httpx.AsyncClient) -> None:
    for number in range(3):
        await a_draft(host, title=f"Draft {number}")
    published = await a_listing(host, title="Published")
    client.headers.update(signed_in())
    await a_listing(client, title="Somebody else's")

    first = (await host.get(f"{API}/listings/mine", params={"limit": 3})).json()
    second = (await host.get(f"{API}/listings/mine", params={"limit": 3, "cursor": first["next_cursor"]})).json()
    only = (await host.get(f"{API}/listings/mine", params={"status": "published"})).json()

    assert [each["title"] for each in first["items"]] == ["Published", "Draft 2", "Draft 1"]
    assert ([each["title"] for each in second["items"]], second["next_cursor"]) == (["Draft 0"], None)
    assert only["items"] == [published]


async def test_a_cursor_of_mine_is_of_no_use_to_others(client: httpx.AsyncClient, host: httpx.AsyncClient) -> None:
    for _ in range(2):
        await a_draft(host)
    cursor = (await host.get(f"{API}/listings/mine", params={"limit": 1})).json()["next_cursor"]

    answer = await client.get(f"{API}/listings/mine", params={"cursor": cursor}, headers=signed_in(uuid4()))

    assert (answer.status_code, answer.json()["code"]) == (400, "cursor_mismatch")
