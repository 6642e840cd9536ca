"""A stream keeps an entry until every group has acknowledged it."""

from typing import Any

from nexus_kit import streams


async def test_trimming_drops_what_every_group_has_acknowledged_and_nothing_else(redis: Any) -> None:
    await streams.publish(redis, "s", [str(n) for n in range(5)])
    assert await streams.trim(redis, "s") == 0, "nobody reads yet: everything is wanted"
    ids = [entry_id for entry_id, _ in await redis.xrange("s")]
    for group in ("fast", "slow"):
        await redis.xgroup_create("s", group, id="0")
    await redis.xreadgroup("fast", "c", {"s": ">"})
    await redis.xack("s", "fast", *ids)
    await redis.xreadgroup("slow", "c", {"s": ">"}, count=4)
    await redis.xack("s", "slow", ids[0], ids[1], ids[3])

    dropped = await streams.trim(redis, "s")

    assert dropped == 2
    assert [entry_id for entry_id, _ in await redis.xrange("s")] == ids[2:]
