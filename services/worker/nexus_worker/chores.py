"""What a worker does besides reacting: measure, trim the streams, forget dead readers. `loop` runs it in each process.

Doing it in several processes at once is harmless: trimming twice is trimming once.
"""

import asyncio
import contextlib

import structlog
from nexus_kit import streams
from redis.asyncio import Redis
from redis.exceptions import ResponseError
from sqlalchemy import func, select

from nexus_worker import metrics
from nexus_worker.broker import QUEUES, delayed, waiting
from nexus_worker.db import DeadLetter
from nexus_worker.job import Tools
from nexus_worker.reader import GROUP, STREAMS

log = structlog.get_logger(__name__)

_MEASURE_SECONDS = 5
_TIDY_EVERY = 12
"""Measurements between two rounds of tidying: a minute."""

# Deleting a consumer deletes what it has pending, so looking and deleting must be one step.
_FORGET_IDLE_CONSUMERS = """
for _, consumer in ipairs(redis.call('XINFO', 'CONSUMERS', KEYS[1], ARGV[1])) do
    local facts = {}
    for i = 1, #consumer, 2 do facts[consumer[i]] = consumer[i + 1] end
    if facts['pending'] == 0 and facts['idle'] > tonumber(ARGV[2]) then
        redis.call('XGROUP', 'DELCONSUMER', KEYS[1], ARGV[1], facts['name'])
    end
end
"""
_FORGET_AFTER_MS = 600_000


async def do_chores(tools: Tools) -> None:
    """Measure every five seconds and tidy every minute, until cancelled."""
    round_number = 0
    while True:
        try:
            await measure(tools)
            if round_number % _TIDY_EVERY == 0:
                await tidy(tools.events)
        except Exception as exc:  # noqa: BLE001 - a failed round must not end the others
            log.warning("chores failed", error=repr(exc))
        round_number += 1
        await asyncio.sleep(_MEASURE_SECONDS)


async def measure(tools: Tools) -> None:
    """Bring the gauges up to date."""
    redis = tools.events
    for stream in STREAMS:
        for group in await redis.xinfo_groups(stream):
            if group["name"] == GROUP.encode():
                metrics.LAG.labels(stream).set(_lag(group["lag"]))
                metrics.PENDING.labels(stream).set(group["pending"])
    for queue in QUEUES:
        metrics.QUEUE.labels(queue, "waiting").set(await redis.llen(waiting(queue)))
        metrics.QUEUE.labels(queue, "delayed").set(await redis.hlen(delayed(queue)))
    metrics.DEAD_LETTERS.labels("event").set(await redis.xlen(streams.DEAD))
    async with tools.database.unit_of_work() as session:
        still_open = select(func.count()).select_from(DeadLetter).where(DeadLetter.redelivered_at.is_(None))
        metrics.DEAD_LETTERS.labels("reaction").set((await session.execute(still_open)).scalar_one())


async def tidy(redis: Redis, *, forget_after_ms: int = _FORGET_AFTER_MS) -> None:
    """Drop what every group has acknowledged, and the names of readers that are gone and owe nothing."""
    for stream in STREAMS:
        with contextlib.suppress(ResponseError):  # no such stream yet: the reader is about to make it
            await streams.trim(redis, stream)
            await redis.eval(_FORGET_IDLE_CONSUMERS, 1, stream, GROUP, str(forget_after_ms))


def _lag(reported: int | None) -> float:
    """Redis cannot tell after somebody deleted an entry by hand; nothing here does."""
    return float("nan") if reported is None else reported
