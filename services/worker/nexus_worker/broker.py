"""Dramatiq's RedisBroker, tuned, and closed where version 2.2.1 loses messages when Redis goes away for a moment.

`main` runs a worker on it; `dead_letters` enqueues with it. Decision 0013 says what each part is for.
"""

import time
from typing import Any

import redis
import structlog
from dramatiq import Message
from dramatiq.broker import Broker, Consumer, MessageProxy
from dramatiq.brokers.redis import RedisBroker
from dramatiq.errors import ConnectionClosed
from dramatiq.middleware import Retries

log = structlog.get_logger(__name__)

NAMESPACE = "dramatiq"
DEFAULT, MAIL = QUEUES = ("default", "mail")
"""Mails have a queue, so that a mail server that hangs holds up mails and nothing else."""

DEAD_AFTER_SECONDS = 15
"""A process that has been silent for this long is dead, and what it held is given to others."""

_GONE = (redis.ConnectionError, redis.TimeoutError)
_LOOK_AGAIN_SECONDS = 1.0


def make_broker(url: str) -> Broker:
    """A broker without actors. Its database is the one of the streams: what is acknowledged there is durable here."""
    client = redis.Redis.from_url(url, socket_timeout=5.0, socket_connect_timeout=1.0, health_check_interval=15)
    return DurableBroker(  # type: ignore[no-untyped-call]  # as all of dramatiq.brokers.redis is
        client=client,
        namespace=NAMESPACE,
        heartbeat_timeout=DEAD_AFTER_SECONDS * 1000,
        maintenance_chance=1_000_000,  # every command looks for dead workers: one cheap ZRANGEBYSCORE
        middleware=[PatientRetries(min_backoff=1_000, max_backoff=300_000)],
    )


def reaction_message(given: str | list[str], reaction: str) -> Message[None]:
    """The message that makes a worker run one reaction to one event, or a delivery of many; each is a JSON document."""
    queue = MAIL if reaction.startswith("mail_") else DEFAULT
    return Message(queue_name=queue, actor_name="react", args=(given, reaction), kwargs={}, options={})


def documents_of(given: str | list[str]) -> list[str]:
    """The CloudEvents that a message made by `reaction_message` gives to its reaction."""
    return [given] if isinstance(given, str) else given


def waiting(queue: str) -> str:
    """The Redis list of messages that no worker has taken yet."""
    return f"{NAMESPACE}:{queue}"


def delayed(queue: str) -> str:
    """The Redis hash of messages that wait for their next try."""
    return f"{NAMESPACE}:{queue}.DQ.msgs"


class DurableBroker(RedisBroker):
    """RedisBroker whose worker survives that Redis goes away."""

    def _dispatch(self, command: str) -> Any:
        """Let every command fail in the one way that Dramatiq's threads expect.

        It translates redis-py's errors for some commands only; from others they kill the thread that meets them.
        """
        dispatch = super()._dispatch(command)  # type: ignore[no-untyped-call]

        def translated(queue_name: str, *args: Any) -> Any:
            try:
                return dispatch(queue_name, *args)
            except _GONE as exc:
                raise ConnectionClosed(exc) from None  # type: ignore[no-untyped-call]

        return translated

    def consume(self, queue_name: str, prefetch: int = 1, timeout: int = 5000) -> Consumer:
        """Start to read a queue, or start again after Redis was away: then first give back what this process held.

        Dramatiq forgets the messages that it has prefetched, and as long as this process lives nobody else takes them.
        """
        try:
            held = self.client.smembers(f"{self.namespace}:__acks__.{self.broker_id}.{queue_name}")
        except _GONE as exc:
            raise ConnectionClosed(exc) from None  # type: ignore[no-untyped-call]
        if held:
            self.do_requeue(queue_name, *held)
        return super().consume(queue_name, prefetch, timeout)


class PatientRetries(Retries):
    """Retries that wait for Redis.

    Dramatiq logs and swallows a failure to enqueue the next try, and then acknowledges the message: it would be lost.
    """

    def after_process_message(
        self, broker: Broker, message: MessageProxy, *, result: Any = None, exception: BaseException | None = None
    ) -> None:
        """Schedule the next try, or hand the message to `bury`, however long that takes."""
        if exception is None:
            return
        tries = message.options.get("retries", 0)
        message.options["error"] = str(exception)
        while True:
            try:
                super().after_process_message(broker, message, exception=exception)  # type: ignore[no-untyped-call]
            except Exception as exc:  # noqa: BLE001 - whatever Redis says (away, loading, full), giving up would lose it
                log.warning("the next try waits for Redis", message=message.message_id, error=repr(exc))
                message.options["retries"] = tries
                time.sleep(_LOOK_AGAIN_SECONDS)
            else:
                return
