"""The two actors: `react` runs one reaction to one event, or a delivery of many; `bury` keeps what was given up.

The reader enqueues `react`. A reaction runs in a transaction with its inbox row, so a second copy of its message does
nothing.
"""

import asyncio
import json
import time
from collections.abc import Sequence
from typing import Any

import dramatiq
import structlog
from dramatiq.broker import Broker
from nexus_contracts.envelope import CloudEvent, parse
from nexus_kit.context import working_for
from nexus_kit.errors import UpstreamFailed
from nexus_kit.inbox import first_time
from sqlalchemy import func
from sqlalchemy.dialects.postgresql import insert

from nexus_worker import metrics
from nexus_worker.broker import documents_of, reaction_message
from nexus_worker.db import DeadLetter
from nexus_worker.deliveries import Delivery
from nexus_worker.failures import ApartPerhaps, Permanent
from nexus_worker.job import Job, Tools
from nexus_worker.reactions import UnknownReaction, reaction_to

log = structlog.get_logger(__name__)

REACTION_SECONDS = 20
"""Longer than any reaction takes; a shutdown waits as long for those that run."""


class ReactionFailed(dramatiq.Retry):
    """What Dramatiq sees of any failure: it is logged once, here, and its text is fit to be stored."""

    def __init__(self, reason: str, *, permanent: bool) -> None:
        super().__init__(reason)
        self.permanent = permanent


def declare_actors(broker: Broker, queue: str, tools: Tools, *, retries: int) -> None:
    """Teach the broker of this queue both actors. They are coroutines on the loop where the tools live."""

    async def react_with_tools(given: str | list[str], reaction: str) -> None:
        documents = documents_of(given)
        try:
            await react(tools, documents, reaction)
        except ApartPerhaps:
            middle = len(documents) // 2
            for half in (documents[:middle], documents[middle:]):
                await asyncio.to_thread(broker.enqueue, reaction_message(half, reaction))

    async def bury_with_tools(message: dict[str, Any], tries: dict[str, Any]) -> None:
        await bury(tools, message, attempts=tries["retries"] + 1)

    def worth_another_try(tried_again: int, failure: BaseException) -> bool:
        return tried_again < retries and not getattr(failure, "permanent", False)

    actor = dramatiq.actor(broker=broker, queue_name=queue, actor_name="bury", retry_when=lambda *_: True)
    actor(bury_with_tools)
    actor = dramatiq.actor(
        broker=broker,
        queue_name=queue,
        actor_name="react",
        retry_when=worth_another_try,
        on_retry_exhausted="bury",
    )
    actor(react_with_tools)


async def react(tools: Tools, documents: Sequence[str], name: str) -> None:
    """Run the reaction called `name`: to one event, unless it has been run, or to many if it is a delivery."""
    events = [parse(document) for document in documents]
    started = time.monotonic()
    # A request that delivers many has ids of its own; the service works for those of each event.
    ids = (events[0].requestid, events[0].traceparent) if len(events) == 1 else (None, None)
    with working_for(*ids), structlog.contextvars.bound_contextvars(reaction=name):
        try:
            async with asyncio.timeout(REACTION_SECONDS):
                is_new = await _run(tools, events, documents, name)
        except Exception as exc:
            permanent = isinstance(exc, Permanent)
            reason = " ".join(f"{type(exc).__name__}: {exc}".split())[:1000]
            _log_each(events, "reaction failed", permanent=permanent, reason=reason)
            metrics.REACTIONS.labels(name, "failed").inc(len(events))
            if isinstance(exc, ApartPerhaps):
                raise
            raise ReactionFailed(reason, permanent=permanent) from None
        seconds = time.monotonic() - started
        metrics.REACTIONS.labels(name, "done" if is_new else "repeated").inc(len(events))
        metrics.REACTION_SECONDS.labels(name).observe(seconds)
        for event in events:
            metrics.EVENT_AGE.labels(name).observe(max(0.0, time.time() - event.time.timestamp()))
        _log_each(events, "reaction done" if is_new else "reaction repeated", ms=round(seconds * 1000, 1))


async def _run(tools: Tools, events: Sequence[CloudEvent[Any]], documents: Sequence[str], name: str) -> bool:
    """False if its inbox row shows that it ran before. Of a delivery only the service knows."""
    try:
        (reaction,) = {reaction_to(event.data, name) for event in events}
    except UnknownReaction as exc:
        if len(events) > 1:
            raise ApartPerhaps(str(exc)) from exc
        raise
    if isinstance(reaction, Delivery):
        await reaction(tools, documents)
        return True
    ((event, document),) = zip(events, documents, strict=True)
    async with tools.database.unit_of_work() as session:
        is_new = await first_time(session, name, event.id)
        if is_new:
            with structlog.contextvars.bound_contextvars(event_id=str(event.id)):
                try:
                    await reaction(Job(name, event, document, tools))
                except OSError as exc:  # a mail server's, say: the unit of work would blame the database
                    raise UpstreamFailed(f"{type(exc).__name__}: {exc}") from exc
    return is_new


def _log_each(events: Sequence[CloudEvent[Any]], what: str, **facts: Any) -> None:
    """One line for each event, under the ids of the request that caused it."""
    write = log.warning if "reason" in facts else log.info
    for event in events:
        with working_for(event.requestid, event.traceparent):
            write(what, event_id=str(event.id), **facts)


async def bury(tools: Tools, message: dict[str, Any], *, attempts: int) -> None:
    """Keep what was given up as dead letters: one row for each event and reaction."""
    given, reaction = message["args"]
    failure = {
        "error": message["options"].get("error", "unknown"),
        "attempts": attempts,
        "created_at": func.now(),
        "redelivered_at": None,
    }
    events = [json.loads(document) for document in documents_of(given)]
    async with tools.database.unit_of_work() as session:
        for event in events:
            row = insert(DeadLetter).values(event_id=event["id"], event=event, reaction=reaction, **failure)
            await session.execute(row.on_conflict_do_update(index_elements=["event_id", "reaction"], set_=failure))
    for event in events:
        metrics.REACTIONS.labels(reaction, "given_up").inc()
        log.error("reaction given up", reaction=reaction, event_id=event["id"], error=failure["error"])
