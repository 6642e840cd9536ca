"""What could not be done is kept with its reason, can be looked at, sent round again, and thrown away."""

import asyncio
import json
import os
import sys
import threading
from dataclasses import asdict, replace
from typing import Any
from uuid import uuid4

import pytest
from dramatiq import Message
from dramatiq.brokers.stub import StubBroker
from nexus_contracts import auth, bookings
from nexus_contracts.envelope import CloudEvent
from nexus_kit import streams
from nexus_kit.settings import ServiceSettings
from nexus_kit.testing import Service
from nexus_worker.dead_letters import open_office
from nexus_worker.job import open_tools
from nexus_worker.react import ReactionFailed, bury, react
from nexus_worker.settings import Settings
from pydantic import SecretStr

from tests.servers import free_port
from tests.worker.world import World, event_of, eventually

STREAM = streams.stream_name("bookings")


async def test_a_reaction_that_keeps_failing_is_kept_and_done_when_redelivered(world: World, service: Service) -> None:
    user = world.auth.user()
    world.auth.failing_with = 500

    event = await world.happens(auth.RegistrationRepeated(user_id=user))

    letter = await eventually(lambda: the_letter_about(service, event))
    assert letter["what"] == "mail_registration_repeated"
    assert letter["attempts"] == 2
    assert letter["error"].startswith("UpstreamFailed: auth answered 500 to GET /internal/users/")
    assert letter["event"]["id"] == str(event.id)
    assert world.auth.address(user) not in json.dumps(letter)
    assert json.loads(await dead_letters(service, "list", "--json")) == [letter]

    world.auth.failing_with = None
    assert await dead_letters(service, "redeliver", letter["id"]) == f"{letter['id']} redelivered\n"

    await world.the_mail_to(user)
    assert await dead_letters(service, "list") == "No dead letters.\n"


async def test_a_refused_delivery_is_not_tried_again_and_a_second_refusal_opens_its_letter_anew(
    world: World, service: Service
) -> None:
    world.listings.failing_with, world.listings.refused = 422, 0

    event = await world.happens(bookings.NightsChanged(listing_id=uuid4(), sold_out=[], freed=[]))

    letter = await eventually(lambda: the_letter_about(service, event))
    assert (letter["what"], letter["attempts"], world.listings.refused) == ("deliver_to_listings", 1, 1)
    assert "refused POST /internal/events with 422" in letter["error"]

    await dead_letters(service, "redeliver", letter["id"])
    again = await eventually(lambda: the_letter_about(service, event))
    assert (again["id"], world.listings.refused) == (letter["id"], 2)

    assert await dead_letters(service, "discard", letter["id"]) == f"{letter['id']} discarded\n"
    assert await dead_letters(service, "list") == "No dead letters.\n"


async def test_a_wrong_address_of_auth_makes_a_dead_letter_and_swallows_no_mail(world: World, service: Service) -> None:
    event = await world.happens(auth.RegistrationRepeated(user_id=uuid4()))

    letter = await eventually(lambda: the_letter_about(service, event))

    assert (letter["what"], letter["attempts"]) == ("mail_registration_repeated", 1)
    assert "with 404" in letter["error"]


async def test_a_mail_server_that_is_away_is_named_as_the_reason(world: World, service: Service) -> None:
    nobody = {"smtp_url": SecretStr(f"smtp://127.0.0.1:{free_port()}")}
    event = event_of(auth.RegistrationRepeated(user_id=world.auth.user()))

    async with open_tools(service.app.state.runtime.settings.model_copy(update=nobody)) as tools:
        with pytest.raises(ReactionFailed) as failed:
            await react(tools, [event.model_dump_json(exclude_none=True)], "mail_registration_repeated")

    assert str(failed.value).startswith("UpstreamFailed: SMTPConnectError")


async def test_a_letter_that_fails_again_before_its_redelivery_has_ended_is_open(
    world: World, service: Service
) -> None:
    settings = service.app.state.runtime.settings
    world.listings.failing_with = 422
    event = await world.happens(bookings.NightsChanged(listing_id=uuid4(), sold_out=[], freed=[]))
    await eventually(lambda: the_letter_about(service, event))

    async with open_office(settings) as office:
        (letter,) = await office.letters()
        broker = FailsAtOnce(settings)
        await replace(office, broker=broker).redeliver(letter)
    await asyncio.to_thread(broker.burying.join)

    assert (await the_letter_about(service, event))["id"] == letter.id


class FailsAtOnce(StubBroker):
    """A queue whose worker has given the message up before the sender goes on, unless the database makes it wait."""

    def __init__(self, settings: Settings) -> None:
        super().__init__()
        self.settings = settings

    def enqueue(self, message: Message[Any], *, delay: int | None = None) -> Message[Any]:
        async def give_up() -> None:
            async with open_tools(self.settings) as tools:
                await bury(tools, message.asdict(), attempts=1)

        self.burying = threading.Thread(target=lambda: asyncio.run(give_up()))
        self.burying.start()
        self.burying.join(timeout=2)
        return message


async def test_what_cannot_be_read_is_set_aside_with_its_reason_and_acknowledged(
    world: World, service: Service
) -> None:
    newer = {"specversion": "1.0", "type": "nexus.bookings.booking.teleported.v1"}
    strange: list[dict[str, str]] = [{"event": "{"}, {"event": json.dumps(newer)}, {"colour": "blue"}]

    for fields in strange:
        await world.events.xadd(STREAM, fields)  # type: ignore[arg-type]

    letters = await eventually(lambda: unreadable(service, 3))
    assert [letter["error"].partition(":")[0] for letter in letters] == ["unparsable", "unknown_type", "no_field"]
    assert {letter["what"] for letter in letters} == {STREAM}
    assert json.loads(letters[1]["event"]) == newer
    assert (await world.events.xpending(STREAM, "worker"))["pending"] == 0

    assert "redelivered" in await dead_letters(service, "redeliver", letters[1]["id"])
    again = await eventually(lambda: unreadable(service, 3))
    assert again[-1]["event"] == letters[1]["event"], "still nobody knows it, so it comes back"
    assert "only to discard" in await dead_letters(service, "redeliver", letters[2]["id"], fails=True)
    for letter in again:
        await dead_letters(service, "discard", letter["id"])


async def test_an_unknown_id_is_said_so(service: Service) -> None:
    assert await dead_letters(service, "redeliver", "4711", fails=True) == "there is no open dead letter 4711\n"


async def the_letter_about(service: Service, event: CloudEvent[Any]) -> dict[str, Any]:
    (letter,) = [
        each for each in await letters_of(service) if "-" not in each["id"] and each["event"]["id"] == str(event.id)
    ]
    return letter


async def unreadable(service: Service, count: int) -> list[dict[str, Any]]:
    found = [each for each in await letters_of(service) if "-" in each["id"]]
    assert len(found) == count
    return found


async def letters_of(service: Service) -> list[dict[str, Any]]:
    """What `list --json` would print, without starting a process each time that we look."""
    async with open_office(service.app.state.runtime.settings) as office:
        return [asdict(letter) for letter in await office.letters()]


async def dead_letters(service: Service, *arguments: str, fails: bool = False) -> str:
    """What the command prints, run as an operator runs it."""
    command = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "nexus_worker.dead_letters", *arguments),
        env={**os.environ, **environment_of(service.app.state.runtime.settings)},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    output, errors = (each.decode() for each in await command.communicate())
    assert (command.returncode != 0) is fails, output + errors
    return errors if fails else output


def environment_of(settings: ServiceSettings) -> dict[str, str]:
    """The variables that these settings were read from."""
    plain = {
        name: value.get_secret_value() if isinstance(value, SecretStr) else str(value)
        for name, value in settings.model_dump().items()
    }
    return {f"NEXUS_{name.upper()}": value for name, value in plain.items()}
