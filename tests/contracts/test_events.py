"""The events as other teams rely on them: well named, and only ever added to."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
from nexus_contracts import envelope
from nexus_contracts.auth import UserRegistered
from nexus_contracts.envelope import CloudEvent, Event, UnknownEventType, all_events, parse
from pydantic import ValidationError

SNAPSHOT: dict[str, Any] = json.loads((Path(__file__).parent / "events.json").read_text())
EVENTS = list(all_events())


@pytest.mark.parametrize("event", EVENTS, ids=lambda event: event.__name__)
def test_an_event_is_named_after_its_type_and_says_when_it_is_true(event: type[Event]) -> None:
    assert re.fullmatch(r"nexus\.(auth|listings|bookings)\.[a-z_]+\.[a-z_]+\.v\d+", event.TYPE)
    assert event.__doc__
    assert event.__doc__ != Event.__doc__


@pytest.mark.parametrize("event", EVENTS, ids=lambda event: event.__name__)
def test_an_event_changes_only_by_addition(event: type[Event]) -> None:
    assert event.TYPE in SNAPSHOT, "a new event: run `make docs`"

    before, now = SNAPSHOT[event.TYPE], event.model_json_schema()

    assert_additive(before, now)
    for name, definition in before.get("$defs", {}).items():
        assert_additive(definition, now["$defs"][name])


def test_no_event_has_disappeared() -> None:
    assert set(SNAPSHOT) <= {event.TYPE for event in EVENTS}


def test_no_event_carries_personal_data() -> None:
    fields = {field for event in EVENTS for field in event.model_fields}

    assert not {field for field in fields if re.search(r"email|full_name|phone|address|password|token", field)}


def test_an_unknown_type_is_told_apart_from_a_malformed_document() -> None:
    with pytest.raises(UnknownEventType):
        parse(b'{"type": "nexus.auth.user.levitated.v1"}')
    with pytest.raises(ValidationError):
        parse(f'{{"type": "{UserRegistered.TYPE}"}}')


def test_a_consumer_ignores_fields_that_a_newer_producer_added() -> None:
    user = "01a1fb78-251c-7945-8606-069073ac2654"
    document = {
        "specversion": "1.0",
        "id": user,
        "source": "/services/auth",
        "type": UserRegistered.TYPE,
        "subject": user,
        "time": "2026-11-21T00:00:00Z",
        "sequence": 1,
        "data": {"user_id": user, "shoe_size": 44},
        "later": True,
    }

    event: CloudEvent[UserRegistered] = parse(json.dumps(document))

    assert str(event.data.user_id) == user


def test_declaring_one_type_twice_is_refused() -> None:
    with pytest.raises(TypeError, match="declared twice"):
        type(
            "Again",
            (envelope.Event,),
            {"__annotations__": {"user_id": str}},
            type=UserRegistered.TYPE,
            subject="user_id",
        )


def assert_additive(before: dict[str, Any], now: dict[str, Any]) -> None:
    """Every old field is still there with its old shape, and what was always sent is still always sent."""
    for name, shape in before.get("properties", {}).items():
        assert strip(now["properties"][name]) == strip(shape)
    assert set(before.get("required", [])) <= set(now.get("required", []))
    assert set(before.get("enum", [])) <= set(now.get("enum", []))


def strip(shape: dict[str, Any]) -> dict[str, Any]:
    """Descriptions and examples may be improved at any time."""
    return {key: value for key, value in shape.items() if key not in ("description", "examples", "title")}
