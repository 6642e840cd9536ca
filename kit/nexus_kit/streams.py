"""Redis streams: their names, and how an event gets on one and in the end off it.

The outbox relay publishes; the worker reads (`nexus_worker.reader`) and trims.
"""

from collections.abc import Iterable

from redis.asyncio import Redis

PRODUCERS = ("auth", "listings", "bookings")
FIELD = "event"
"""The one field of a stream entry: a CloudEvent in JSON."""

DEAD = "nexus:dead:events"
"""Entries that could not be read, each with its `reason`."""


def stream_name(producer: str) -> str:
    """`nexus:{bookings}:events`: the braces keep one producer's keys together in a Redis Cluster."""
    return f"nexus:{{{producer}}}:events"


async def publish(redis: Redis, stream: str, documents: Iterable[str]) -> None:
    """Append the documents in order, in one round trip. No MAXLEN, ever: it drops entries that nobody has read.

    In one transaction: otherwise the first would wake the reader, which would then take it alone.
    """
    async with redis.pipeline(transaction=True) as pipeline:
        for document in documents:
            pipeline.xadd(stream, {FIELD: document})
        await pipeline.execute()


async def trim(redis: Redis, stream: str) -> int:
    """Drop the entries that every group has acknowledged, and answer how many. Without a group nothing is dropped."""
    lowest: list[tuple[int, int]] = []
    for group in await redis.xinfo_groups(stream):
        pending = await redis.xpending(stream, group["name"])
        lowest.append(_number(pending["min"]) if pending["pending"] else _after(_number(group["last-delivered-id"])))
    if not lowest:
        return 0
    first, second = min(lowest)
    return int(await redis.xtrim(stream, minid=f"{first}-{second}", approximate=False))


def _number(entry_id: bytes | str) -> tuple[int, int]:
    milliseconds, _, sequence = (entry_id.decode() if isinstance(entry_id, bytes) else entry_id).partition("-")
    return int(milliseconds), int(sequence or 0)


def _after(entry: tuple[int, int]) -> tuple[int, int]:
    return entry[0], entry[1] + 1
