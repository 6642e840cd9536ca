"""Events delivered together are applied as if they came one after the other, or not at all."""

import asyncio
import json
from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from nexus_contracts.auth import UserDeleted, UserUpdated
from nexus_contracts.envelope import BATCH_MEDIA_TYPE, Event
from nexus_kit.inbox import INBOX, new_among
from nexus_kit.testing import Service, from_service
from sqlalchemy import func, select, text
from sqlalchemy.ext.asyncio import AsyncSession

from tests.kit.jars import Jar

# Of each event: about which of two users, and whether they are deleted (else updated, which makes them a jar).
events = st.lists(st.tuples(st.integers(0, 1), st.booleans()), min_size=1, max_size=8)
deliveries = st.lists(st.lists(st.integers(0, 7), max_size=8), max_size=4)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(events=events, deliveries=deliveries)
async def test_however_they_are_delivered_each_is_applied_once_and_in_order(
    client: httpx.AsyncClient, service: Service, events: list[tuple[int, bool]], deliveries: list[list[int]]
) -> None:
    users = [uuid4(), uuid4()]
    facts = [_event(UserDeleted if deleted else UserUpdated, users[user]) for user, deleted in events]

    for delivery in deliveries:
        answer = await _deliver(client, [facts[number % len(facts)] for number in delivery])
        assert (answer.status_code, answer.content) == (204, b"")

    jars = Counter[UUID]()
    for number in dict.fromkeys(number % len(facts) for delivery in deliveries for number in delivery):
        user, deleted = events[number]
        jars[users[user]] = 0 if deleted else jars[users[user]] + 1
    assert [await _jars(service, user) for user in users] == [jars[user] for user in users]


@pytest.mark.parametrize(
    ("poison", "code", "pointers"),
    [
        ({"type": "nexus.auth.user.exploded.v1"}, "unknown_event", None),
        ({"type": "nexus.auth.user.registered.v1"}, "unknown_event", None),
        ({"data": {}}, "validation_failed", ["/1/data/user_id"]),
        ({"type": None}, "validation_failed", ["/1/type"]),
        ({"id": "7"}, "validation_failed", ["/1/id"]),
    ],
)
async def test_when_one_is_refused_none_is_applied_and_its_place_is_named(
    client: httpx.AsyncClient, service: Service, poison: dict[str, Any], code: str, pointers: list[str] | None
) -> None:
    user = uuid4()
    batch = [_event(UserUpdated, user), _event(UserUpdated, user) | poison, _event(UserUpdated, user)]

    answer = await _deliver(client, batch)

    refusal = answer.json()
    assert (answer.status_code, refusal["code"]) == (422, code)
    assert [error["pointer"] for error in refusal["errors"]] == pointers if pointers else "errors" not in refusal
    assert await _jars(service, user) == 0

    assert (await _deliver(client, [batch[0], batch[2]])).status_code == 204
    assert await _jars(service, user) == 2


@pytest.mark.parametrize("body", [b"", b"[", b"{}", b"[[]]", b"[1]", b"[null]", b"\xff", b"null", b"[NaN]"])
async def test_what_is_no_array_of_events_is_refused(client: httpx.AsyncClient, body: bytes) -> None:
    answer = await _post(client, body)

    assert (answer.status_code, answer.json()["code"]) == (422, "validation_failed")


async def test_no_events_are_no_mistake(client: httpx.AsyncClient) -> None:
    assert (await _deliver(client, [])).status_code == 204


async def test_of_two_deliveries_of_the_same_events_at_once_one_waits_and_none_deadlocks(
    client: httpx.AsyncClient, service: Service
) -> None:
    user = uuid4()
    batch = [_event(UserUpdated, user) for _ in range(9)]
    middle = _by_id(batch)[4]

    async with service.database.unit_of_work() as session:  # whoever takes the events in another order meets it between
        await new_among(session, "bookings", [UUID(middle["id"])])
        sent = [asyncio.create_task(_deliver(client, order)) for order in (_by_id(batch), _by_id(batch)[::-1])]
        await _two_wait(session)
        await session.rollback()
    answers = await asyncio.gather(*sent)

    assert [answer.status_code for answer in answers] == [204, 204]
    assert await _jars(service, user) == 9


async def test_behind_an_earlier_delivery_of_the_same_that_goes_on_and_on_it_waits_for_two_seconds(
    client: httpx.AsyncClient, service: Service
) -> None:
    batch = [_event(UserUpdated, uuid4())]

    async with service.database.unit_of_work() as session:
        await new_among(session, "bookings", [UUID(batch[0]["id"])])
        meanwhile = await _deliver(client, batch)
        await session.rollback()
    afterwards = await _deliver(client, batch)

    assert (meanwhile.status_code, afterwards.status_code) == (503, 204)


async def test_each_is_applied_under_the_ids_of_the_request_that_caused_it(
    client: httpx.AsyncClient, service: Service
) -> None:
    user = uuid4()

    await _deliver(client, [_event(UserUpdated, user, requestid=f"request-number-{number}") for number in range(3)])

    async with service.database.unit_of_work() as session:
        labels = await session.scalars(select(Jar.label).where(Jar.owner_id == user).order_by(Jar.label))
        assert list(labels) == [f"a gift, by request request-number-{number}" for number in range(3)]
        assert await session.scalar(select(func.count()).select_from(INBOX)) == 3


def _by_id(batch: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return sorted(batch, key=lambda event: UUID(event["id"]))


async def _two_wait(session: AsyncSession) -> None:
    async with asyncio.timeout(5):
        while (await session.scalar(text("SELECT count(*) FROM pg_locks WHERE NOT granted")) or 0) < 2:  # noqa: ASYNC110
            await asyncio.sleep(0.01)


def _event(kind: type[Event], user_id: UUID, **more: Any) -> dict[str, Any]:
    return {
        "specversion": "1.0",
        "id": str(uuid4()),
        "source": "/services/auth",
        "type": kind.TYPE,
        "subject": str(user_id),
        "time": datetime.now(UTC).isoformat(),
        "sequence": 1,
        "data": {"user_id": str(user_id)},
        **more,
    }


async def _deliver(client: httpx.AsyncClient, batch: Sequence[dict[str, Any]]) -> httpx.Response:
    return await _post(client, json.dumps(batch).encode())


async def _post(client: httpx.AsyncClient, body: bytes) -> httpx.Response:
    headers = {**from_service("worker", "bookings"), "Content-Type": BATCH_MEDIA_TYPE}
    return await client.post("/internal/events", content=body, headers=headers)


async def _jars(service: Service, owner_id: UUID) -> int:
    async with service.database.unit_of_work() as session:
        return await session.scalar(select(func.count()).select_from(Jar).where(Jar.owner_id == owner_id)) or 0
