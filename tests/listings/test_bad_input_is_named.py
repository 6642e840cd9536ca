"""Whatever is sent, the answer is a problem document that names what is wrong; never a 500."""

import json
from collections.abc import MutableMapping
from typing import Any
from urllib.parse import quote

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from nexus_kit.testing import Service, signed_in
from nexus_listings.search.schemas import SearchQuery

from tests.listings.given import API, COMPLETE, a_draft, a_listing, soon

JSON = {"Content-Type": "application/json"}


def as_json(body: Any) -> bytes:
    """With all that JSON's grammar allows and its usual encoders refuse: lone surrogates, infinities."""
    return json.dumps(body).encode()


@pytest.mark.parametrize(
    ("query", "named"),
    [
        ("colour=red", "colour"),
        ("amenities=helipad", "amenities"),
        ("amenities=wifi,", "amenities"),
        ("amenities=" + ",".join(["wifi"] * 10_000 + ["helipad"]), "amenities"),
        ("near=1", "near"),
        ("near=1,2,3", "near"),
        ("near=91,0", "near"),
        ("near=0,181", "near"),
        ("near=nan,0", "near"),
        ("near=0,inf", "near"),
        ("near=a,b", "near"),
        ("radius_km=5", "radius_km"),
        ("near=0,0&radius_km=0", "radius_km"),
        ("near=0,0&radius_km=-1", "radius_km"),
        ("near=0,0&radius_km=20016", "radius_km"),
        ("near=0,0&radius_km=nan", "radius_km"),
        ("near=0,0&radius_km=inf", "radius_km"),
        ("bbox=1,2,3", "bbox"),
        ("bbox=0,5,1,4", "bbox"),
        ("bbox=0,5,1,5", "bbox"),
        ("bbox=1,0,1,2", "bbox"),
        ("bbox=-181,0,0,1", "bbox"),
        ("bbox=0,-91,1,1", "bbox"),
        ("bbox=0,0,1e400,1", "bbox"),
        ("polygon=0,0;1,1", "polygon"),
        ("polygon=0,0;1,1;0,0", "polygon"),
        ("polygon=0,0;1,1;2,2", "polygon"),
        ("polygon=0,0;1,1;0,1;1,0", "polygon"),  # crosses itself
        ("polygon=0,0;0,4;4,4;0,2", "polygon"),  # a corner on a side
        ("polygon=0,0;0,1;1,1;0,1", "polygon"),  # a corner twice
        ("polygon=0,0;0,1;91,0", "polygon"),
        ("polygon=" + ";".join(f"{corner},{corner * corner}" for corner in range(101)), "polygon"),
        ("polygon=" + ";".join(["0.1,0.1"] * 1000), "polygon"),
        ("flexible_days=1", "flexible_days"),
        (f"check_in={soon(3)}&check_out={soon(4)}&flexible_days=8", "flexible_days"),
        (f"check_in={soon(3)}&check_out={soon(4)}&flexible_days=-1", "flexible_days"),
        ("explain_unavailable=true", "explain_unavailable"),
        ("explain_unavailable=perhaps", "explain_unavailable"),
        ("include=everything", "include"),
        ("sort=distance", "sort"),
        ("check_in=9999-12-30&check_out=9999-12-31", "check_out"),
        ("check_in=1796774400&check_out=1796860800", "check_in"),
        ("min_price=5&max_price=4", "max_price"),
        ("min_price=-1", "min_price"),
        ("max_price=99999999999999999999999999", "max_price"),
        ("guests=0", "guests"),
        ("guests=two", "guests"),
        ("limit=101", "limit"),
        ("limit=0", "limit"),
        (f"check_in={soon(3)}", "check_out"),
        (f"check_out={soon(3)}", "check_out"),
        (f"check_in={soon(3)}&check_out={soon(3)}", "check_out"),
        (f"check_in={soon(3)}&check_out={soon(2)}", "check_out"),
        (f"check_in={soon(3)}&check_out={soon(500)}", "check_out"),
        (f"check_in={soon(-3)}&check_out={soon(2)}", "check_in"),
        ("check_in=tomorrow&check_out=later", "check_in"),
        ("sort=cheapest", "sort"),
        ("sort=relevance", "sort"),
        ("country=XX", "country"),
        ("country=et", "country"),
        ("category=No%20Such", "category"),
        ("category=castle", "category"),
        ("guests=1&guests=2", "guests"),
        ("sort=price&q=house&sort=newest", "sort"),
        ("host_id=me", "host_id"),
        ("q=", "q"),
        ("q=a%00b", "q"),
        ("city=a%00b", "city"),
        (f"q={'x' * 201}", "q"),
        (f"cursor={'x' * 2001}", "cursor"),
    ],
)
async def test_a_wrong_filter_is_named(client: httpx.AsyncClient, query: str, named: str) -> None:
    answer = await client.get(f"{API}/listings?{query}")

    assert (answer.status_code, answer.json()["code"]) == (422, "validation_failed"), answer.text
    assert named in {error["pointer"] for error in answer.json()["errors"]}
    assert answer.headers["Content-Type"] == "application/problem+json"


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("title", ""),
        ("title", "   "),
        ("title", None),
        ("title", "x" * 121),
        ("title", "a\x00b"),
        ("title", "\ud800"),
        ("description", "\udfff"),
        ("description", "x" * 10_001),
        ("category", "a b"),
        ("category", "house\x00"),
        ("city", 7),
        ("country", "Ethiopia"),
        ("country", "ZZ"),
        ("latitude", 90.1),
        ("latitude", "NaN"),
        ("longitude", -181),
        ("timezone", "Mars/Olympus"),
        ("timezone", "../../etc/passwd"),
        ("price", 100),
        ("price", {"amount": 1.5, "currency": "ETB"}),
        ("price", {"amount": 0, "currency": "ETB"}),
        ("price", {"amount": 10**13, "currency": "ETB"}),
        ("price", {"amount": 100, "currency": "EUR"}),
        ("price", {"amount": 100}),
        ("price", {"amount": 100, "currency": "ETB", "tax": 1}),
        ("cleaning_fee", {"amount": -1, "currency": "ETB"}),
        ("capacity", 0),
        ("capacity", 10**20),
        ("units", 1001),
        ("amenities", ["helipad"]),
        ("amenities", None),
        ("min_nights", 0),
        ("max_nights", 366),
        ("instant_book", "perhaps"),
        ("cancellation_policy", "none"),
        ("status", "published"),
        ("host_id", "0195f000-0000-7000-8000-000000000000"),
    ],
)
async def test_a_wrong_field_is_named(host: httpx.AsyncClient, field: str, value: Any) -> None:
    draft = await a_draft(host)
    address = f"{API}/listings/{draft['id']}"

    created = await host.post(f"{API}/listings", content=as_json(COMPLETE | {field: value}), headers=JSON)
    changed = await host.patch(address, content=as_json({field: value}), headers={"If-Match": '"1"', **JSON})

    for answer in (created, changed):
        assert (answer.status_code, answer.json()["code"]) == (422, "validation_failed"), answer.text
        assert any(error["pointer"].startswith(f"/{field}") for error in answer.json()["errors"]), answer.text
    assert (await host.get(address)).json() == draft


@pytest.mark.parametrize(
    ("body", "content_type", "status"),
    [
        (b"{", "application/json", 422),
        (b"[]", "application/json", 422),
        (b"null", "application/json", 422),
        (b"\xff\xfe", "application/json", 422),
        (b"title=Hut", "application/x-www-form-urlencoded", 415),
        (b"[" * 100_000, "application/json", 400),
        (b'{"title": "' + b"x" * 1_100_000 + b'"}', "application/json", 413),
    ],
    ids=lambda value: str(value)[:20],
)
async def test_a_body_that_is_not_a_listing_is_refused(
    host: httpx.AsyncClient, body: bytes, content_type: str, status: int
) -> None:
    answer = await host.post(f"{API}/listings", content=body, headers={"Content-Type": content_type})

    assert answer.status_code == status, answer.text
    assert answer.headers["Content-Type"] == "application/problem+json"


@pytest.mark.parametrize("listing_id", ["1", "mine2", "%00", "..%2f..", "x" * 500])
async def test_an_id_that_is_none_is_refused(client: httpx.AsyncClient, listing_id: str) -> None:
    assert (await client.get(f"{API}/listings/{listing_id}")).status_code in (404, 422)


@pytest.mark.parametrize("name", ["q", "city", "cursor", "amenities", "near", "bbox", "polygon", "include", "x"])
async def test_a_query_of_100_kb_is_refused_briefly(service: Service, name: str) -> None:
    status, body = await searched_for(service, f"{name}={'1,' * 50_000}".encode())

    problem = json.loads(body)
    assert (status, problem["code"], problem["errors"][0]["pointer"]) == (422, "validation_failed", name)
    assert len(body) < 10_000


async def searched_for(service: Service, query: bytes) -> tuple[int, bytes]:
    """Status and body of a search that httpx would not send: it refuses so long an address."""
    said: list[MutableMapping[str, Any]] = []

    async def receive() -> MutableMapping[str, Any]:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: MutableMapping[str, Any]) -> None:
        said.append(message)

    path = f"{API}/listings"
    scope: dict[str, Any] = {"type": "http", "http_version": "1.1", "method": "GET", "scheme": "https", "root_path": ""}
    scope |= dict[str, Any](path=path, raw_path=path.encode(), query_string=query)
    scope |= dict[str, Any](headers=[(b"host", b"nexus")], client=("::1", 1))
    await service.app(scope, receive, send)
    return said[0]["status"], b"".join(message.get("body", b"") for message in said[1:])


async def test_a_cursor_of_another_search_is_refused(client: httpx.AsyncClient, host: httpx.AsyncClient) -> None:
    for _ in range(2):
        await a_listing(host)
    page = await client.get(f"{API}/listings", params={"limit": 1, "sort": "price"})

    for other in ({"sort": "-price"}, {"sort": "price", "near": "0,0"}, {"sort": "price", "amenities": "wifi"}):
        answer = await client.get(f"{API}/listings", params={**other, "cursor": page.json()["next_cursor"]})
        assert (answer.status_code, answer.json()["code"]) == (400, "cursor_mismatch")


anything = st.text(max_size=40)
numbers = st.text("0123456789-+.,;eEnaif ", max_size=40)
FILTERS = sorted(SearchQuery.model_fields)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(asked=st.dictionaries(st.sampled_from(FILTERS), anything | numbers | st.sampled_from(["1", "0,0"]), max_size=4))
async def test_no_filter_breaks_a_search(service: Service, asked: dict[str, str]) -> None:
    query = "&".join(
        f"{name}={quote(value.encode('utf-8', 'surrogatepass'), safe='')}" for name, value in asked.items()
    )

    async with service.client() as client:
        answer = await client.get(f"{API}/listings?{query}")

    assert answer.status_code in (200, 400, 422), answer.text
    if answer.status_code == 422:
        assert {error["pointer"] for error in answer.json()["errors"]} <= {*asked, "check_out", "sort"}


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    q=anything,
    city=anything,
    cursor=anything,
    name=st.text(st.characters(codec="utf-8"), max_size=10),
    raw=st.binary(max_size=12),
)
async def test_no_text_breaks_a_search(
    service: Service, *, q: str, city: str, cursor: str, name: str, raw: bytes
) -> None:
    def escaped(value: str) -> str:
        return quote(value.encode("utf-8", "surrogatepass"), safe="")

    async with service.client() as client:
        answers = [
            await client.get(f"{API}/listings?q={escaped(q)}"),
            await client.get(f"{API}/listings?city={escaped(city)}"),
            await client.get(f"{API}/listings?cursor={escaped(cursor)}"),
            await client.get(f"{API}/listings?{escaped(name)}=1"),
            await client.get(f"{API}/listings?q={quote(raw)}"),
        ]

    assert all(answer.status_code in (200, 400, 422) for answer in answers), [each.text for each in answers]


text = st.text(st.characters(), max_size=20)
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | text,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(text, inner, max_size=3),
    max_leaves=5,
)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(body=st.dictionaries(st.sampled_from([*COMPLETE, "amenities", "units"]) | text, json_values, max_size=4))
async def test_no_json_breaks_a_draft(service: Service, body: dict[str, Any]) -> None:
    async with service.client(**signed_in()) as client:
        answer = await client.post(f"{API}/listings", content=as_json({"title": "Hut"} | body), headers=JSON)

    assert answer.status_code in (201, 422), answer.text
