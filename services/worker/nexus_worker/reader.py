"""The reader: takes entries off the three streams, enqueues messages for the reactions, and only then acknowledges.

`loop` runs one in every worker process; the group shares the entries out among them.
"""

import asyncio
import contextlib
import os
import secrets
import socket
import time
from collections.abc import Iterable, Mapping

import structlog
from dramatiq import Message
from dramatiq.broker import Broker
from nexus_contracts.envelope import UnknownEventType, class_of, parse
from nexus_kit import streams
from pydantic import ValidationError
from redis.asyncio import Redis
from redis.exceptions import ResponseError

from nexus_worker import metrics
from nexus_worker.broker import DEAD_AFTER_SECONDS, DEFAULT, reaction_message, waiting
from nexus_worker.deliveries import Delivery
from nexus_worker.job import Reaction
from nexus_worker.reactions import REACTIONS

log = structlog.get_logger(__name__)

GROUP = "worker"
STREAMS = [streams.stream_name(producer) for producer in streams.PRODUCERS]
QUEUE_LIMIT = 100
"""Messages that wait; with more than these the reader pauses, so a lag shows in the streams, where it is measured.

Each may deliver a batch, so at the very most 10,000 events wait here: seconds of work. Mails do not count: revocations
come in the same streams, and must not wait for a mail server.
"""

_BATCH = 100
_BLOCK_MS = 1000
_OWN_UNFINISHED, _NEW = "0", ">"

Entry = tuple[bytes, Mapping[bytes, bytes] | None]


class Unreadable(Exception):
    """This entry will never become a reaction here. The text is the reason that its dead letter states."""


class Reader:
    """One consumer of the group, with a name that no other process ever has."""

    def __init__(self, redis: Redis, broker: Broker, *, queue_limit: int = QUEUE_LIMIT) -> None:
        self._redis, self._broker, self._queue_limit = redis, broker, queue_limit
        self.name = f"{socket.gethostname()}-{os.getpid()}-{secrets.token_hex(4)}"
        self._stopping = asyncio.Event()
        self._claim_at = 0.0

    def stop(self) -> None:
        """Let `run` return after the batch in hand."""
        self._stopping.set()

    async def run(self) -> None:
        """Read until stopped. Whatever fails (Redis away, the group gone with its data), begin again a second later."""
        while not self._stopping.is_set():
            try:
                await self._create_groups()
                await self._read()
            except Exception as exc:  # noqa: BLE001 - a reader that ends is a suite that tells nobody anything
                log.warning("reading failed", error=repr(exc))
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(self._stopping.wait(), 1.0)

    async def _create_groups(self) -> None:
        for stream in STREAMS:
            try:
                # From the first entry on: what was published before the first worker ever ran is news too.
                await self._redis.xgroup_create(stream, GROUP, id="0", mkstream=True)
            except ResponseError as exc:
                if "BUSYGROUP" not in str(exc):
                    raise

    async def _read(self) -> None:
        since = _OWN_UNFINISHED  # what a failed round before this one was given and did not finish
        while not self._stopping.is_set():
            if await self._redis.llen(waiting(DEFAULT)) >= self._queue_limit:
                await asyncio.sleep(0.05)
                continue
            answer: list[tuple[bytes, list[Entry]]] = await self._redis.xreadgroup(  # type: ignore[assignment]
                GROUP, self.name, dict.fromkeys(STREAMS, since), count=_BATCH, block=_BLOCK_MS
            )
            batches = [(name.decode(), entries) for name, entries in answer if entries]
            for stream, entries in batches:
                await self._take(stream, entries)
            if not batches:
                since = _NEW
            if time.monotonic() >= self._claim_at:
                self._claim_at = time.monotonic() + DEAD_AFTER_SECONDS
                await self._claim_from_the_dead()

    async def _claim_from_the_dead(self) -> None:
        """Take over what a reader was given and died with. It holds entries for milliseconds while it lives."""
        for stream in STREAMS:
            start: bytes | str = "0-0"
            while True:
                start, entries, *_ = await self._redis.xautoclaim(
                    stream, GROUP, self.name, min_idle_time=DEAD_AFTER_SECONDS * 1000, start_id=start, count=_BATCH
                )
                if entries:
                    await self._take(stream, entries)
                if start == b"0-0":
                    break

    async def _take(self, stream: str, entries: list[Entry]) -> None:
        """Enqueue, then acknowledge. A crash in between enqueues twice, which the inbox makes harmless."""
        found: list[tuple[str, Reaction | Delivery]] = []
        dead: list[dict[str, bytes | str]] = []
        for entry_id, fields in entries:
            try:
                wanted = _wanted(fields)
            except Unreadable as exc:
                log.warning("dead event", stream=stream, entry=entry_id.decode(), reason=str(exc))
                dead.append({"stream": stream, "reason": str(exc), **_original(fields)})
                continue
            metrics.EVENTS.labels("enqueued" if wanted else "ignored").inc()
            found += wanted
        if found:
            await asyncio.to_thread(self._enqueue, messages_for(found))
        async with self._redis.pipeline(transaction=True) as pipeline:
            for letter in dead:
                pipeline.xadd(streams.DEAD, letter)  # type: ignore[arg-type]  # redis-py wants its own union of types
            pipeline.xack(stream, GROUP, *(entry_id for entry_id, _ in entries))
            await pipeline.execute()
        metrics.EVENTS.labels("dead").inc(len(dead))

    def _enqueue(self, messages: list[Message[None]]) -> None:
        for message in messages:
            self._broker.enqueue(message)


def messages_for(found: Iterable[tuple[str, Reaction | Delivery]]) -> list[Message[None]]:
    """One for each reaction to an event, and one for all deliveries to a service, in the order of the stream."""
    messages = []
    deliveries: dict[str, list[str]] = {}
    for document, reaction in found:
        if isinstance(reaction, Delivery):
            deliveries.setdefault(reaction.__name__, []).append(document)
        else:
            messages.append(reaction_message(document, reaction.__name__))
    return messages + [reaction_message(documents, name) for name, documents in deliveries.items()]


def _wanted(fields: Mapping[bytes, bytes] | None) -> list[tuple[str, Reaction | Delivery]]:
    """The event in this entry with each reaction to it. Of one that is ignored, nothing but the type is read."""
    if not fields:
        return []  # acknowledged and trimmed since: somebody else has taken it
    document = fields.get(streams.FIELD.encode())
    if document is None:
        raise Unreadable(f"no_field: the entry has no field called {streams.FIELD}")
    try:
        reactions = REACTIONS.get(class_of(document))
        if not reactions:
            return []
        parse(document)
    except UnknownEventType as exc:
        raise Unreadable(f"unknown_type: {exc}") from exc
    except ValidationError as exc:
        raise Unreadable(f"unparsable: {' '.join(str(exc).split())[:500]}") from exc
    return [(document.decode(), reaction) for reaction in reactions]


def _original(fields: Mapping[bytes, bytes] | None) -> dict[str, bytes | str]:
    """The entry's own fields, under names that the dead letter does not use itself."""
    own = {name.decode(errors="replace"): value for name, value in (fields or {}).items()}
    return {(name if name == streams.FIELD else f"original_{name}"): value for name, value in own.items()}
