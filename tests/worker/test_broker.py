"""What Dramatiq's Redis broker would lose when Redis goes away, and ours does not (decision 13)."""

import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, cast

import dramatiq
import pytest
import redis
from dramatiq.broker import Broker, MessageProxy
from dramatiq.brokers.redis import RedisBroker
from dramatiq.errors import BrokerConnectionError
from nexus_worker.broker import MAIL, PatientRetries, delayed, make_broker, reaction_message, waiting

from tests.worker.processes import Killable, durable_valkey


@pytest.fixture
def valkey(tmp_path: Path) -> Iterator[tuple[Killable, str]]:
    process, url = durable_valkey(tmp_path)
    with process.running():
        yield process, url


@pytest.fixture
def broker(valkey: tuple[Killable, str]) -> Broker:
    """With one actor, and nobody at work."""
    broker = make_broker(f"{valkey[1]}/1")
    dramatiq.actor(broker=broker, actor_name="react")(lambda *_: None)
    return broker


def test_the_next_try_is_enqueued_when_redis_is_back(valkey: tuple[Killable, str], broker: Broker) -> None:
    redis_process, _ = valkey
    failed = MessageProxy(reaction_message("{}", "mail_guest_receipt"))
    (retries,) = [each for each in broker.middleware if isinstance(each, PatientRetries)]

    redis_process.kill()
    scheduling = threading.Thread(
        target=lambda: retries.after_process_message(broker, failed, exception=OSError("auth does not answer"))
    )
    scheduling.start()
    scheduling.join(1.5)
    assert scheduling.is_alive(), "it waits"
    redis_process.start()
    scheduling.join(20)

    assert not scheduling.is_alive()
    assert client_of(broker).hlen(delayed(MAIL)) == 1
    assert failed.options["retries"] == 1, "however often it was attempted to enqueue it"
    assert failed.options["error"] == "auth does not answer"


def test_a_consumer_that_starts_again_gives_back_what_it_had_taken(broker: Broker) -> None:
    broker.enqueue(reaction_message("{}", "mail_guest_receipt"))
    consumer = broker.consume(MAIL, prefetch=10)
    assert next(consumer) is not None
    assert client_of(broker).llen(waiting(MAIL)) == 0

    again = broker.consume(MAIL, prefetch=10)

    assert next(again) is not None


@pytest.mark.parametrize("command", ["enqueue", "consume", "requeue"])
def test_every_command_fails_in_the_way_that_dramatiqs_threads_expect(
    valkey: tuple[Killable, str], broker: Broker, command: str
) -> None:
    message = MessageProxy(broker.enqueue(reaction_message("{}", "mail_guest_receipt")))
    consumer: Any = broker.consume(MAIL)
    valkey[0].kill()

    calls: dict[str, Callable[[], Any]] = {
        "enqueue": lambda: broker.enqueue(reaction_message("{}", "mail_guest_receipt")),
        "consume": lambda: broker.consume(MAIL),
        "requeue": lambda: consumer.requeue([message]),
    }
    with pytest.raises(BrokerConnectionError):
        calls[command]()


def client_of(broker: Broker) -> redis.Redis:
    return cast("redis.Redis", cast("RedisBroker", broker).client)
