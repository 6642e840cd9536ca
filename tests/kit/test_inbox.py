"""An event that is delivered again, even at the same time, changes nothing more."""

import asyncio
import json
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest
from nexus_contracts.auth import UserUpdated
from nexus_kit import inbox
from nexus_kit.inbox import INBOX
from nexus_kit.testing import Service, from_service
from sqlalchemy import func, select, update

from tests.kit.jars import Jar


def _event(**changed: Any) -> dict[str, Any]:
    user_id = str(uuid4())
    return {
        "specversion": "1.0",
        "id": str(uuid4()),
        "source": "/services/auth",
        "type": UserUpdated.TYPE,
        "subject": user_id,
        "time": datetime.now(UTC).isoformat(),
        "sequence": 1,
        "data": {"user_id": user_id},
        **changed,
    }


async def test_a_delivered_event_is_applied(client: httpx.AsyncClient, service: Service) -> None:
    event = _event()

    answer = await _deliver(client, event)

    assert (answer.status_code, answer.content) == (204, b"")
    assert await _gifts(service, event["subject"]) == 1


async def test_delivered_again_it_changes_nothing(client: httpx.AsyncClient, service: Service) -> None:
    event = _event()

    answers = [await _deliver(client, event) for _ in range(3)]

    assert {answer.status_code for answer in answers} == {204}
    assert await _gifts(service, event["subject"]) == 1


async def test_delivered_many_times_at_once_it_is_applied_once(client: httpx.AsyncClient, service: Service) -> None:
    event = _event()

    answers = await asyncio.gather(*(_deliver(client, event) for _ in range(20)))

    assert {answer.status_code for answer in answers} == {204}
    assert await _gifts(service, event["subject"]) == 1


async def test_what_a_newer_producer_added_is_ignored(client: httpx.AsyncClient, service: Service) -> None:
    event = _event(newattribute="x")
    event["data"]["new_field"] = 1

    assert (await _deliver(client, event)).status_code == 204
    assert await _gifts(service, event["subject"]) == 1


@pytest.mark.parametrize(
    ("changed", "code"),
    [
        ({"type": "nexus.auth.user.exploded.v1"}, "unknown_event"),
        ({"type": "nexus.auth.user.registered.v1"}, "unknown_event"),
        ({"id": "7"}, "validation_failed"),
        ({"data": {}}, "validation_failed"),
        ({"data": None}, "validation_failed"),
        ({"specversion": "0.3"}, "validation_failed"),
        ({"sequence": -1}, "validation_failed"),
        ({"type": None}, "validation_failed"),
    ],
)
async def test_what_cannot_be_applied_is_refused_with_its_reason(
    client: httpx.AsyncClient, changed: dict[str, Any], code: str
) -> None:
    answer = await _deliver(client, _event(**changed))

    assert (answer.status_code, answer.json()["code"]) == (422, code)


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"\xff", b'"x"', b"null"])
async def test_what_is_no_event_is_refused(client: httpx.AsyncClient, body: bytes) -> None:
    answer = await client.post("/internal/events", content=body, headers=from_service("worker", "bookings"))

    assert (answer.status_code, answer.json()["code"]) == (422, "validation_failed")


async def test_old_rows_are_forgotten_and_younger_ones_are_not(client: httpx.AsyncClient, service: Service) -> None:
    await _deliver(client, _event())
    async with service.database.unit_of_work() as session:
        await session.execute(update(INBOX).values(received_at=INBOX.c.received_at - inbox.KEPT - timedelta(seconds=1)))
    await _deliver(client, young := _event())

    await inbox.prune(service.database)

    async with service.database.unit_of_work() as session:
        assert list(await session.scalars(select(INBOX.c.event_id))) == [UUID(young["id"])]


async def _deliver(client: httpx.AsyncClient, event: Mapping[str, Any]) -> httpx.Response:
    headers = {**from_service("worker", "bookings"), "Content-Type": "application/cloudevents+json"}
    return await client.post("/internal/events", content=json.dumps(event), headers=headers)


async def _gifts(service: Service, owner_id: str) -> int:
    async with service.database.unit_of_work() as session:
        gifts = select(func.count()).select_from(Jar).where(Jar.owner_id == UUID(owner_id))
        return await session.scalar(gifts) or 0
