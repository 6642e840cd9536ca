"""A user's saved searches: theirs alone, strictly read, counted, and stopped by whoever holds one of their mails."""

import asyncio
from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest
from nexus_kit.testing import Service, from_service, signed_in
from nexus_listings.saved_searches.models import SavedSearch
from nexus_listings.saved_searches.service import MOST
from sqlalchemy import func, select

from tests.listings.given import a_listing, soon
from tests.listings.searching import SAVED, a_day_passes, a_saved_search, announced, change_search


async def test_a_saved_search_is_what_was_sent_and_says_where_its_results_are(
    client: httpx.AsyncClient, host: httpx.AsyncClient, guest: httpx.AsyncClient
) -> None:
    fit = await a_listing(host, title="Läke house")
    await a_listing(host, title="Mountain hut")
    filters = {"q": "lake & house", "guests": 2, "check_in": str(soon(9)), "check_out": str(soon(12)), "sort": "price"}

    answer = await guest.post(SAVED, json={"name": " By the lake ", "filters": filters})

    assert answer.status_code == 201, answer.text
    saved = answer.json()
    assert (saved["name"], saved["filters"], saved["notify"]) == ("By the lake", filters, "daily")
    read = await guest.get(answer.headers["Location"])
    assert read.json() == saved
    assert read.headers["ETag"] == answer.headers["ETag"]
    found = (await client.get(saved["results"])).json()["items"]
    assert [card["id"] for card in found] == [fit["id"]]


async def test_the_list_holds_ones_own_newest_first_in_pages(
    service: Service, guest: httpx.AsyncClient, host: httpx.AsyncClient
) -> None:
    saved = [await a_saved_search(guest, guests=number) for number in (1, 2, 3)]
    await a_saved_search(host)

    first = (await guest.get(SAVED, params={"limit": 2})).json()
    second = (await guest.get(SAVED, params={"limit": 2, "cursor": first["next_cursor"]})).json()

    assert [*first["items"], *second["items"]] == saved[::-1]
    assert second["next_cursor"] is None


async def test_somebody_elses_is_not_there(
    service: Service, client: httpx.AsyncClient, guest: httpx.AsyncClient, host: httpx.AsyncClient
) -> None:
    address = f"{SAVED}/{(await a_saved_search(guest))['id']}"

    for other, status in ((host, 404), (client, 401)):
        assert (await other.get(address)).status_code == status
        changed = await other.patch(address, json={"name": "Mine"}, headers={"If-Match": "*"})
        assert changed.status_code == status
        assert (await other.delete(address)).status_code == status
    assert (await guest.get(address)).json()["name"] == "By the lake"


async def test_a_change_needs_the_version_it_was_made_from(guest: httpx.AsyncClient) -> None:
    saved = await a_saved_search(guest, guests=2)
    address = f"{SAVED}/{saved['id']}"

    tag = (await guest.get(address)).headers["ETag"]
    changed = await guest.patch(address, json={"name": "Renamed"}, headers={"If-Match": tag})

    assert changed.json() == saved | {"name": "Renamed"}
    assert changed.headers["ETag"] != tag
    assert (await guest.get(address, headers={"If-None-Match": changed.headers["ETag"]})).status_code == 304
    assert (await guest.patch(address, json={"name": "Again"})).status_code == 428
    assert (await guest.patch(address, json={"name": "Again"}, headers={"If-Match": tag})).status_code == 412
    same = await guest.patch(address, json={"name": "Renamed"}, headers={"If-Match": changed.headers["ETag"]})
    assert same.headers["ETag"] == changed.headers["ETag"], "changing nothing is no new version"


async def test_filters_are_replaced_as_a_whole(guest: httpx.AsyncClient) -> None:
    saved = await a_saved_search(guest, q="lake", guests=2)

    changed = await change_search(guest, saved["id"], filters={"country": "ET", "q": None})

    assert changed["filters"] == {"country": "ET"}
    assert changed["results"].endswith("/listings?country=ET")


async def test_a_search_sent_twice_under_one_key_is_saved_once(guest: httpx.AsyncClient) -> None:
    new, key = {"name": "By the lake", "filters": {"q": "lake"}}, {"Idempotency-Key": "once"}
    first = await guest.post(SAVED, json=new, headers=key)

    again = await guest.post(SAVED, json=new, headers=key)

    assert (again.status_code, again.content) == (201, first.content)
    assert (again.headers["Location"], again.headers["ETag"]) == (first.headers["Location"], first.headers["ETag"])
    assert len((await guest.get(SAVED)).json()["items"]) == 1


async def test_a_look_does_not_change_the_etag(
    service: Service, host: httpx.AsyncClient, guest: httpx.AsyncClient
) -> None:
    saved = await a_saved_search(guest)
    tag = (await guest.get(f"{SAVED}/{saved['id']}")).headers["ETag"]
    await a_listing(host)

    await a_day_passes(service)

    assert len(await announced(service)) == 1
    assert (await guest.get(f"{SAVED}/{saved['id']}")).headers["ETag"] == tag


async def test_what_is_deleted_is_gone(service: Service, host: httpx.AsyncClient, guest: httpx.AsyncClient) -> None:
    address = f"{SAVED}/{(await a_saved_search(guest))['id']}"
    await a_listing(host)

    assert (await guest.delete(address)).status_code == 204

    assert (await guest.get(address)).status_code == 404
    assert (await guest.delete(address)).status_code == 404
    await a_day_passes(service)
    assert await announced(service) == []


async def test_the_last_free_place_is_taken_once(service: Service, guest: httpx.AsyncClient, guest_id: UUID) -> None:
    for _ in range(MOST - 1):
        await a_saved_search(guest)

    body = {"name": "One more", "filters": {}}
    answers = await asyncio.gather(*(guest.post(SAVED, json=body) for _ in range(5)))

    assert sorted(answer.status_code for answer in answers) == [201] + [409] * 4
    assert {answer.json()["code"] for answer in answers if answer.status_code == 409} == {"too_many_saved_searches"}
    async with service.database.unit_of_work() as session:
        assert await session.scalar(select(func.count()).where(SavedSearch.user_id == guest_id)) == MOST


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({"filters": {}}, "/name"),
        ({"name": "x"}, "/filters"),
        ({"name": "", "filters": {}}, "/name"),
        ({"name": "x" * 101, "filters": {}}, "/name"),
        ({"name": "x\x00", "filters": {}}, "/name"),
        ({"name": "x", "filters": []}, "/filters"),
        ({"name": "x", "filters": {}, "notify": "hourly"}, "/notify"),
        ({"name": "x", "filters": {}, "colour": "red"}, "/colour"),
        ({"name": "x", "filters": {"colour": "red"}}, "/filters/colour"),
        ({"name": "x", "filters": {"limit": 5}}, "/filters/limit"),
        ({"name": "x", "filters": {"cursor": "x"}}, "/filters/cursor"),
        ({"name": "x", "filters": {"include": ["total"]}}, "/filters/include"),
        ({"name": "x", "filters": {"explain_unavailable": True}}, "/filters/explain_unavailable"),
        ({"name": "x", "filters": {"amenities": "wifi"}}, "/filters/amenities"),
        ({"name": "x", "filters": {"amenities": ["wifi", "moat"]}}, "/filters/amenities/1"),
        ({"name": "x", "filters": {"near": [9.01, 38.76]}}, "/filters/near"),
        ({"name": "x", "filters": {"polygon": "8,38;9,38"}}, "/filters/polygon"),
        ({"name": "x", "filters": {"guests": "2"}}, "/filters/guests"),
        ({"name": "x", "filters": {"guests": True}}, "/filters/guests"),
        ({"name": "x", "filters": {"guests": 2.0}}, "/filters/guests"),
        ({"name": "x", "filters": {"guests": 0}}, "/filters/guests"),
        ({"name": "x", "filters": {"q": 7}}, "/filters/q"),
        ({"name": "x", "filters": {"q": "\x00"}}, "/filters/q"),
        ({"name": "x", "filters": {"country": "XX"}}, "/filters/country"),
        ({"name": "x", "filters": {"category": "No Slug"}}, "/filters/category"),
        ({"name": "x", "filters": {"sort": "best"}}, "/filters/sort"),
        ({"name": "x", "filters": {"sort": "relevance"}}, "/filters/sort"),
        ({"name": "x", "filters": {"min_price": 9, "max_price": 1}}, "/filters/max_price"),
        ({"name": "x", "filters": {"check_in": 1796774400}}, "/filters/check_in"),
        ({"name": "x", "filters": {"check_in": "2020-01-01", "check_out": "2020-01-03"}}, "/filters/check_in"),
    ],
    ids=str,
)
async def test_what_is_wrong_is_named(guest: httpx.AsyncClient, body: dict[str, Any], pointer: str) -> None:
    answer = await guest.post(SAVED, json=body)

    assert (answer.status_code, answer.json()["code"]) == (422, "validation_failed")
    assert answer.json()["errors"][0]["pointer"] == pointer


@pytest.mark.parametrize("field", ["name", "filters", "notify"])
async def test_nothing_can_be_emptied(guest: httpx.AsyncClient, field: str) -> None:
    address = f"{SAVED}/{(await a_saved_search(guest))['id']}"

    answer = await guest.patch(address, json={field: None}, headers={"If-Match": "*"})

    assert [error["pointer"] for error in answer.json()["errors"]] == [f"/{field}"]


async def test_who_has_not_proved_the_address_is_not_mailed(service: Service, client: httpx.AsyncClient) -> None:
    """Or somebody could have strangers mailed, by registering their addresses."""
    async with service.client(**signed_in(email_verified=False)) as unproved:
        answer = await unproved.post(SAVED, json={"name": "x", "filters": {}})

    assert (answer.status_code, answer.json()["code"]) == (403, "email_not_verified")


async def test_one_click_stops_the_mails_and_only_that(
    service: Service, client: httpx.AsyncClient, host: httpx.AsyncClient, guest: httpx.AsyncClient
) -> None:
    saved = await a_saved_search(guest, country="ET")
    address = await unsubscribe_address(service, saved["id"])
    tag = (await guest.get(f"{SAVED}/{saved['id']}")).headers["ETag"]

    for _ in range(2):
        clicked = await one_click(client, address)
        assert (clicked.status_code, clicked.content) == (204, b"")

    read = await guest.get(f"{SAVED}/{saved['id']}")
    assert read.json() == saved | {"notify": "never"}
    assert read.headers["ETag"] != tag
    await a_listing(host)
    await a_day_passes(service)
    assert await announced(service) == []
    assert await mails_are_stopped(service, saved["id"])


async def test_following_the_link_changes_nothing_and_leads_to_a_page_that_asks(
    service: Service, client: httpx.AsyncClient, guest: httpx.AsyncClient
) -> None:
    saved = await a_saved_search(guest)
    address = await unsubscribe_address(service, saved["id"])

    followed = await client.get(address)

    assert followed.status_code == 303
    token = address.partition("token=")[2]
    assert followed.headers["Location"] == f"/#unsubscribe?saved_search={saved['id']}&token={token}"
    assert (await guest.get(f"{SAVED}/{saved['id']}")).json() == saved


async def test_the_token_of_another_search_stops_nothing(
    service: Service, client: httpx.AsyncClient, guest: httpx.AsyncClient, host: httpx.AsyncClient
) -> None:
    mine, other = await a_saved_search(guest), await a_saved_search(host)
    right = (await unsubscribe_address(service, mine["id"])).partition("token=")[2]
    others = (await unsubscribe_address(service, other["id"])).partition("token=")[2]

    for wrong in (others, right[:-1], right + "x", "é", "%00", "x" * 100):
        refused = await one_click(client, f"{SAVED}/{mine['id']}/unsubscribe?token={wrong}")
        assert (refused.status_code, refused.json()["code"]) == (403, "invalid_unsubscribe_token"), wrong

    assert (await guest.get(f"{SAVED}/{mine['id']}")).json()["notify"] == "daily"


@pytest.mark.parametrize("query", ["", "?token=", f"?token={'x' * 101}", "?token=x&more=1"])
async def test_without_one_good_token_nothing_is_tried(client: httpx.AsyncClient, query: str) -> None:
    assert (await one_click(client, f"{SAVED}/{UUID(int=1)}/unsubscribe{query}")).status_code == 422


async def test_unsubscribing_from_a_deleted_search_is_no_error(
    service: Service, client: httpx.AsyncClient, guest: httpx.AsyncClient
) -> None:
    saved = await a_saved_search(guest)
    address = await unsubscribe_address(service, saved["id"])
    await guest.delete(f"{SAVED}/{saved['id']}")

    assert (await one_click(client, address)).status_code == 204
    assert await mails_are_stopped(service, saved["id"])
    assert await mails_are_stopped(service, str(uuid4()))


async def test_old_mails_keep_working_when_mails_were_wanted_again(
    service: Service, client: httpx.AsyncClient, guest: httpx.AsyncClient
) -> None:
    saved = await a_saved_search(guest)
    address = await unsubscribe_address(service, saved["id"])
    await change_search(guest, saved["id"], notify="never")
    await change_search(guest, saved["id"], notify="daily")

    assert await unsubscribe_address(service, saved["id"]) == address
    assert (await one_click(client, address)).status_code == 204
    assert (await guest.get(f"{SAVED}/{saved['id']}")).json()["notify"] == "never"


async def test_nobody_but_a_service_is_given_the_token(guest: httpx.AsyncClient) -> None:
    saved = await a_saved_search(guest)

    assert (await guest.post(f"/internal/saved-searches/{saved['id']}/unsubscribe-token")).status_code == 401
    assert "token" not in saved


async def one_click(stranger: httpx.AsyncClient, address: str) -> httpx.Response:
    """What a mail program sends."""
    return await stranger.post(address, data={"List-Unsubscribe": "One-Click"})


async def unsubscribe_address(service: Service, search_id: str) -> str:
    """What the worker writes into a mail."""
    async with service.client(**from_service("worker", "listings")) as worker:
        answer = await worker.post(f"/internal/saved-searches/{search_id}/unsubscribe-token")
    assert answer.status_code == 200, answer.text
    return f"{SAVED}/{search_id}/unsubscribe?token={answer.json()['token']}"


async def mails_are_stopped(service: Service, search_id: str) -> bool:
    """Whether the worker is told not to send."""
    async with service.client(**from_service("worker", "listings")) as worker:
        answer = await worker.post(f"/internal/saved-searches/{search_id}/unsubscribe-token")
    return (answer.status_code, answer.json().get("code")) == (410, "mails_stopped")
