"""The two actors: `react` runs one reaction to one event, `bury` keeps what was given up. The reader enqueues `react`.

A reaction runs in a transaction with its inbox row, so a second copy of its message does nothing.
"""

import asyncio
import json
import time
from typing import Any

import dramatiq
import structlog
from dramatiq.broker import Broker
from nexus_contracts.envelope import parse
from nexus_kit.context import working_for
from nexus_kit.inbox import first_time
from sqlalchemy import func
from sqlalchemy.dialects.postgresql import insert

from nexus_worker import metrics
from nexus_worker.db import DeadLetter
from nexus_worker.failures import Permanent
from nexus_worker.job import Job, Tools
from nexus_worker.reactions import reaction_to

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

    async def react_with_tools(document: str, reaction: str) -> None:
        await react(tools, document, reaction)

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


async def react(tools: Tools, document: str, name: str) -> None:
    """Run the reaction called `name` to the event, unless it has been run."""
    event = parse(document)
    started = time.monotonic()
    with (
        working_for(event.requestid, event.traceparent),
        structlog.contextvars.bound_contextvars(reaction=name, event_id=str(event.id)),
    ):
        try:
            async with asyncio.timeout(REACTION_SECONDS), tools.database.unit_of_work() as session:
                is_new = await first_time(session, name, event.id)
                if is_new:
                    await reaction_to(event.data, name)(Job(name, event, document, tools))
        except Exception as exc:  # noqa: BLE001 - whatever failed, the next try may not
            permanent = isinstance(exc, Permanent)
            reason = " ".join(f"{type(exc).__name__}: {exc}".split())[:1000]
            log.warning("reaction failed", permanent=permanent, reason=reason)
            metrics.REACTIONS.labels(name, "failed").inc()
            raise ReactionFailed(reason, permanent=permanent) from None
        seconds = time.monotonic() - started
        metrics.REACTIONS.labels(name, "done" if is_new else "repeated").inc()
        metrics.REACTION_SECONDS.labels(name).observe(seconds)
        metrics.EVENT_AGE.labels(name).observe(max(0.0, time.time() - event.time.timestamp()))
        log.info("reaction done" if is_new else "reaction repeated", ms=round(seconds * 1000, 1))


async def bury(tools: Tools, message: dict[str, Any], *, attempts: int) -> None:
    """Keep a reaction that was given up as a dead letter: one row for each event and reaction."""
    document, reaction = message["args"]
    event = json.loads(document)
    failure = {
        "error": message["options"].get("error", "unknown"),
        "attempts": attempts,
        "created_at": func.now(),
        "redelivered_at": None,
    }
    async with tools.database.unit_of_work() as session:
        row = insert(DeadLetter).values(event_id=event["id"], event=event, reaction=reaction, **failure)
        await session.execute(row.on_conflict_do_update(index_elements=["event_id", "reaction"], set_=failure))
    metrics.REACTIONS.labels(reaction, "given_up").inc()
    log.error("reaction given up", reaction=reaction, event_id=event["id"], error=failure["error"])
