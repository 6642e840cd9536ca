"""A host brings in listings kept elsewhere: good rows go in, bad ones are named, and doing it again changes nothing."""

import asyncio
import random
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from uuid import UUID

import httpx
import pytest
from nexus_kit.testing import Service, from_service, signed_in
from sqlalchemy import event

from tests.listings.given import API, COMPLETE, change, titles, user_is_deleted

ADDRESS = f"{API}/listings/import"
ETB = "ETB"


def a_row(name: str = "one", **changes: Any) -> dict[str, Any]:
    """One that is good, unless the changes prevent it."""
    return COMPLETE | {"external_id": name} | changes


async def imported(host: httpx.AsyncClient, *rows: Any, **query: Any) -> dict[str, Any]:
    """The report."""
    answer = await host.post(ADDRESS, json={"rows": rows}, params=query)
    assert answer.status_code == 200, answer.text
    report: dict[str, Any] = answer.json()
    return report


def counts(report: dict[str, Any]) -> dict[str, int]:
    """What was counted, but for zeros."""
    return {name: number for name, number in report.items() if name != "rows" and number}


async def mine(host: httpx.AsyncClient) -> dict[str, dict[str, Any]]:
    """The host's listings by external id."""
    items = (await host.get(f"{API}/listings/mine", params={"limit": 100})).json()["items"]
    return {item["external_id"]: item for item in items}


@contextmanager
def statements(service: Service) -> Iterator[list[str]]:
    """What the database is asked meanwhile."""
    asked: list[str] = []

    def note(_: Any, __: Any, statement: str, *___: Any) -> None:
        asked.append(statement)

    event.listen(service.database.engine.sync_engine, "before_cursor_execute", note)
    yield asked
    event.remove(service.database.engine.sync_engine, "before_cursor_execute", note)


async def test_a_new_row_becomes_a_listing_that_guests_find(client: httpx.AsyncClient, host: httpx.AsyncClient) -> None:
    report = await imported(host, a_row("lake-1", title="By the lake"), a_row("hill-1", title="On the hill"))

    assert counts(report) == {"created": 2}
    assert [(row["row"], row["external_id"], row["outcome"], row["errors"]) for row in report["rows"]] == [
        (1, "lake-1", "created", []),
        (2, "hill-1", "created", []),
    ]
    read = (await client.get(f"{API}/listings/{report['rows'][0]['listing_id']}")).json()
    assert (read["title"], read["status"], read["price"]) == ("By the lake", "published", COMPLETE["price"])
    assert sorted(await titles(client)) == ["By the lake", "On the hill"]


async def test_what_a_row_leaves_out_is_as_in_any_new_listing(host: httpx.AsyncClient) -> None:
    drafted = (await host.post(f"{API}/listings", json=COMPLETE)).json()

    await imported(host, a_row("ragged"), a_row("full", units=3, min_nights=2, house_rules=["No shoes."]))

    there = await mine(host)
    own = {"id", "status", "external_id", "created_at", "updated_at", "published_at"}
    assert {name: value for name, value in there["ragged"].items() if name not in own} == {
        name: value for name, value in drafted.items() if name not in own
    }
    assert (there["full"]["units"], there["full"]["min_nights"]) == (3, 2)
    assert there["full"]["house_rules"] == ["No shoes."]


async def test_a_row_may_stay_a_draft_and_be_published_by_a_later_import(
    client: httpx.AsyncClient, host: httpx.AsyncClient
) -> None:
    await imported(host, {"external_id": "one", "title": "Not ready", "publish": False})
    before = await titles(client)

    report = await imported(host, a_row("one", title="Ready"))

    assert before == []
    assert counts(report) == {"updated": 1}
    assert await titles(client) == ["Ready"]


async def test_importing_again_changes_nothing(service: Service, host: httpx.AsyncClient) -> None:
    rows = [a_row(str(number), amenities=["wifi", "pool"], min_nights=2) for number in range(20)]
    first = await imported(host, *rows)
    before = await mine(host)

    second = await imported(host, *rows)

    assert counts(second) == {"unchanged": 20}
    assert [row["listing_id"] for row in second["rows"]] == [row["listing_id"] for row in first["rows"]]
    assert await mine(host) == before
    assert await service.published() == []


async def test_a_changed_row_is_a_new_version_and_is_announced(service: Service, host: httpx.AsyncClient) -> None:
    created = await imported(host, a_row("one"), a_row("two"))
    listing_id = created["rows"][0]["listing_id"]

    report = await imported(host, a_row("one", price={"amount": 99, "currency": ETB}), a_row("two"))

    assert counts(report) == {"updated": 1, "unchanged": 1}
    assert (await host.get(f"{API}/listings/{listing_id}")).headers["ETag"] == '"2"'
    (event,) = await service.published()
    assert (event.type, str(event.subject), event.sequence) == ("nexus.listings.listing.updated.v1", listing_id, 2)
    assert event.data.listing.price.amount == 99


async def test_new_listings_are_not_announced_but_can_be_asked_for(service: Service, host: httpx.AsyncClient) -> None:
    """The decision is 0023: bookings asks for a listing that it does not know."""
    report = await imported(host, a_row("one"))

    assert await service.published() == []
    async with service.client(**from_service("bookings", "listings")) as bookings:
        snapshot = await bookings.get(f"/internal/listings/{report['rows'][0]['listing_id']}")
    assert (snapshot.status_code, snapshot.json()["status"], snapshot.json()["version"]) == (200, "published", 1)


async def test_what_a_row_leaves_out_of_a_known_listing_stays(host: httpx.AsyncClient) -> None:
    created = await imported(host, a_row("one", units=3))
    await change(host, created["rows"][0]["listing_id"], house_rules=["No shoes."])

    report = await imported(host, {"external_id": "one", "title": "Renamed"})

    assert counts(report) == {"updated": 1}
    listing = (await mine(host))["one"]
    assert (listing["title"], listing["units"], listing["house_rules"]) == ("Renamed", 3, ["No shoes."])


async def test_what_the_host_has_hidden_stays_hidden(client: httpx.AsyncClient, host: httpx.AsyncClient) -> None:
    created = await imported(host, a_row("one"))
    await host.post(f"{API}/listings/{created['rows'][0]['listing_id']}/unpublish")

    await imported(host, a_row("one", title="Renamed"))

    assert await titles(client) == []
    assert (await mine(host))["one"]["title"] == "Renamed"


async def test_what_the_host_has_removed_does_not_come_back(client: httpx.AsyncClient, host: httpx.AsyncClient) -> None:
    created = await imported(host, a_row("one"))
    await host.delete(f"{API}/listings/{created['rows'][0]['listing_id']}")

    report = await imported(host, a_row("one"), a_row("two", title="Another"))

    assert [row["outcome"] for row in report["rows"]] == ["refused", "created"]
    assert [error["code"] for error in report["rows"][0]["errors"]] == ["listing_archived"]
    assert await titles(client) == ["Another"]


@pytest.mark.parametrize(
    ("bad", "errors"),
    [
        (a_row(title=""), [("/title", "string_too_short")]),
        (a_row(price={"amount": "450", "currency": ETB}), [("/price/amount", "int_type")]),
        (a_row(colour="blue"), [("/colour", "extra_forbidden")]),
        (a_row(publish="yes"), [("/publish", "bool_type")]),
        (COMPLETE, [("/external_id", "missing")]),
        (
            {"external_id": "one", "title": "x\x00", "capacity": 0},
            [("/title", "value_error"), ("/capacity", "greater_than_equal")],
        ),
        ("not a row", [("/", "model_type")]),
        (a_row(city=None, price=None), [("/city", "missing"), ("/price", "missing")]),
        (a_row(category="castle"), [("/category", "unknown_category")]),
        (a_row(min_nights=9, max_nights=8), [("/max_nights", "nights_inverted")]),
        (a_row("good 1"), [("/external_id", "row_repeated")]),
    ],
)
async def test_a_bad_row_is_named_and_keeps_no_other_out(
    host: httpx.AsyncClient, bad: Any, errors: list[tuple[str, str]]
) -> None:
    report = await imported(host, *(a_row(f"good {n}") for n in range(3)), bad, a_row("good 3"))

    assert counts(report) == {"created": 4, "refused": 1}
    refused = report["rows"][3]
    assert (refused["row"], refused["outcome"], refused["listing_id"]) == (4, "refused", None)
    assert [(error["pointer"], error["code"]) for error in refused["errors"]] == errors
    assert set(await mine(host)) == {f"good {n}" for n in range(4)}


async def test_a_change_that_is_refused_leaves_the_listing_as_it_was(service: Service, host: httpx.AsyncClient) -> None:
    await imported(host, *(a_row(str(n)) for n in range(5)))
    before = await mine(host)

    report = await imported(
        host,
        a_row("0", title="Renamed"),
        a_row("1", title="Lost", price=None),
        a_row("2", title="Lost", category="castle"),
        a_row("3", min_nights=9, max_nights=8),
        a_row("4"),
    )

    assert [row["outcome"] for row in report["rows"]] == ["updated", "refused", "refused", "refused", "unchanged"]
    after = await mine(host)
    assert after["0"]["title"] == "Renamed"
    assert {name: after[name] for name in "1234"} == {name: before[name] for name in "1234"}
    assert len(await service.published()) == 1


async def test_many_bad_rows_among_many_good_ones_are_all_found(host: httpx.AsyncClient) -> None:
    chance = random.Random(7)
    kinds: list[dict[str, Any]] = [{}, {"category": "castle"}, {"title": ""}, {"city": None}]
    wanted = [chance.choice(kinds) for _ in range(90)]

    report = await imported(host, *(a_row(str(number), **kind) for number, kind in enumerate(wanted)))

    assert [row["outcome"] for row in report["rows"]] == ["refused" if kind else "created" for kind in wanted]
    assert set(await mine(host)) == {str(number) for number, kind in enumerate(wanted) if not kind}


async def test_imports_at_the_same_time_make_each_listing_once(host: httpx.AsyncClient) -> None:
    rows = [a_row(str(number)) for number in range(400)]

    reports = await asyncio.gather(*(imported(host, *random.Random(n).sample(rows, 400)) for n in range(4)))

    assert sum(report["created"] for report in reports) == 400
    assert sum(report["unchanged"] for report in reports) == 1200


async def test_the_same_row_sent_at_the_same_time_is_one_listing(host: httpx.AsyncClient) -> None:
    for number in range(10):
        reports = await asyncio.gather(*(imported(host, a_row(str(number))) for _ in range(4)))

        assert sorted(report["rows"][0]["outcome"] for report in reports) == ["created", *["unchanged"] * 3]
        assert len({report["rows"][0]["listing_id"] for report in reports}) == 1


async def test_a_dry_run_says_the_same_and_keeps_nothing(
    service: Service, client: httpx.AsyncClient, host: httpx.AsyncClient
) -> None:
    await imported(host, a_row("old", title="Old"))
    rows = [a_row("old", title="Changed"), a_row("new"), a_row("bad", category="castle")]

    rehearsed = await imported(host, *rows, dry_run=True)
    kept = await titles(client)
    report = await imported(host, *rows)

    assert counts(rehearsed) == counts(report) == {"created": 1, "updated": 1, "refused": 1}
    assert kept == ["Old"]
    assert len(await service.published()) == 1


async def test_hosts_do_not_meet_in_their_external_ids(client: httpx.AsyncClient, host: httpx.AsyncClient) -> None:
    await imported(host, a_row("one", title="Mine"))
    client.headers.update(signed_in())

    report = await imported(client, a_row("one", title="Theirs"))

    assert counts(report) == {"created": 1}
    assert (await mine(host))["one"]["title"] == "Mine"


async def test_an_admin_imports_for_a_host_and_nobody_else_does(
    service: Service, host: httpx.AsyncClient, host_id: UUID
) -> None:
    async with service.client(**signed_in(roles=["user", "admin"])) as admin, service.client(**signed_in()) as other:
        report = await imported(admin, a_row("one"), host_id=str(host_id))
        refused = await other.post(ADDRESS, json={"rows": [a_row("two")]}, params={"host_id": str(host_id)})
        own = await imported(host, a_row("three"), host_id=str(host_id))

    assert (counts(report), counts(own)) == ({"created": 1}, {"created": 1})
    assert (refused.status_code, refused.json()["code"]) == (403, "not_allowed")
    assert set(await mine(host)) == {"one", "three"}


async def test_an_erased_host_imports_nothing(
    service: Service, client: httpx.AsyncClient, host: httpx.AsyncClient, host_id: UUID
) -> None:
    await user_is_deleted(service, host_id)

    answer = await host.post(ADDRESS, json={"rows": [a_row("one")]})

    assert (answer.status_code, answer.json()["code"]) == (410, "account_erased")
    assert await titles(client) == []


async def test_importing_needs_a_verified_address(service: Service, client: httpx.AsyncClient) -> None:
    body = {"rows": [a_row("one")]}

    stranger = await client.post(ADDRESS, json=body)
    newcomer = await client.post(ADDRESS, json=body, headers=signed_in(email_verified=False))

    assert (stranger.status_code, newcomer.status_code) == (401, 403)


@pytest.mark.parametrize("body", [{}, {"rows": []}, {"rows": [{}] * 1001}, {"rows": {}}, {"rows": [{}], "more": 1}, []])
async def test_what_is_no_list_of_rows_is_refused_as_a_whole(host: httpx.AsyncClient, body: Any) -> None:
    assert (await host.post(ADDRESS, json=body)).status_code == 422


async def test_searches_see_an_import_as_soon_as_it_is_answered(
    client: httpx.AsyncClient, host: httpx.AsyncClient
) -> None:
    before = await titles(client)

    await imported(host, a_row("one", title="New"))
    then = await titles(client)
    await imported(host, a_row("one", title="Newer"))

    assert (before, then, await titles(client)) == ([], ["New"], ["Newer"])


@pytest.mark.parametrize(
    ("mistake", "said"),
    [
        ("category", "unknown_category"),
        ("nights", "nights_inverted"),
        ("nights of what is there", "nights_inverted"),
        ("emptied", "missing"),
        ("removed", "listing_archived"),
    ],
)
async def test_a_mistake_of_the_whole_file_is_found_at_once(
    service: Service, host: httpx.AsyncClient, mistake: str, said: str
) -> None:
    rows = [a_row(str(number), max_nights=30) for number in range(40)]
    if mistake != "nights":
        await imported(host, *rows)
    match mistake:
        case "category":
            rows = [row | {"category": "castle"} for row in (*rows, a_row("new"))]
        case "nights":
            rows = [row | {"min_nights": 9, "max_nights": 3} for row in rows]
        case "nights of what is there":
            rows = [{"external_id": row["external_id"], "title": "New", "min_nights": 364} for row in rows]
        case "emptied":
            rows = [row | {"title": "New", "price": None} for row in rows]
        case "removed":
            for listing in (await mine(host)).values():
                await host.delete(f"{API}/listings/{listing['id']}")

    with statements(service) as asked:
        report = await imported(host, *rows)

    assert [row["errors"][0]["code"] for row in report["rows"]] == [said] * len(rows)
    assert len(asked) < 15
