"""The cache's keys, and the scripts that run inside Redis, each in one step. Only `cache.py` uses them.

The braces in the keys keep what a script touches on one node of a Redis Cluster.
"""

import hashlib

# The stored answer or, if there is none, whether the caller takes the lease to compute it. KEYS generation, marks,
# place and lease (these two but for the generation); ARGV the lease's token, its milliseconds.
# The name makes the script, and so its hash, the cache's own. A lease is small: it may be taken on a full server too.
# A cache without a generation (emptied, or new) answers like a server that does not know the script.
LOOK_UP = """#!lua flags=allow-oom
-- NAME
if redis.call('EXISTS', KEYS[2]) == 1 then return {false, false, 0, 0} end
local generation = redis.call('GET', KEYS[1])
if not generation then return redis.error_reply('-NOSCRIPT no generation') end
local place = KEYS[3] .. generation
local answer = redis.call('GET', place)
if answer then return {generation, answer, redis.call('PTTL', place), 0} end
local is_taken = redis.call('SET', KEYS[4] .. generation, ARGV[1], 'NX', 'PX', ARGV[2])
return {generation, false, 0, is_taken and 1 or 0}
"""

# A change is about to be committed: KEYS generation, marks; ARGV the mark, its milliseconds.
MARK = """
local now = redis.call('TIME')
redis.call('ZADD', KEYS[2], now[1] * 1000 + ARGV[2], ARGV[1])
redis.call('PEXPIRE', KEYS[2], ARGV[2])
redis.call('SET', KEYS[1], ARGV[1])
"""

# The change is over; marks of the dead go with its own: KEYS generation, marks; ARGV the mark, the new generation.
UNMARK = """
redis.call('SET', KEYS[1], ARGV[2])
redis.call('ZREM', KEYS[2], ARGV[1])
redis.call('ZREMRANGEBYSCORE', KEYS[2], '-inf', redis.call('TIME')[1] * 1000)
"""

# The answer, if there is one by now; if not, whether the caller has the lease, be it by the look-up of another of its
# readers: KEYS place, lease; ARGV the lease's token, its milliseconds.
TAKE = """
local answer = redis.call('GET', KEYS[1])
if answer then return {answer, 0} end
local is_taken = redis.call('SET', KEYS[2], ARGV[1], 'NX', 'PX', ARGV[2])
return {false, (is_taken or redis.call('GET', KEYS[2]) == ARGV[1]) and 1 or 0}
"""

# KEYS lease; ARGV its token.
RELEASE = "if redis.call('GET', KEYS[1]) == ARGV[1] then redis.call('DEL', KEYS[1]) end"

# KEYS place, lease, generation, counts, ledger; ARGV the answer, its milliseconds, the lease's token, the generation
# that it was computed for, then pairs to count. The ledger has the bytes that expire in each second.
# Returns whether a write has not overtaken the answer, and the bytes that are stored now.
STORE = """
local is_current = redis.call('GET', KEYS[3]) == ARGV[4]
local now, stored = redis.call('TIME')[1] + 0, 0
if is_current then
    redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
    redis.call('HINCRBY', KEYS[5], now + math.ceil(ARGV[2] / 1000), #ARGV[1])
end
if redis.call('GET', KEYS[2]) == ARGV[3] then redis.call('DEL', KEYS[2]) end
for i = 5, #ARGV, 2 do redis.call('HINCRBY', KEYS[4], ARGV[i], ARGV[i + 1]) end
local ledger = redis.call('HGETALL', KEYS[5])
for i = 1, #ledger, 2 do
    if ledger[i] + 0 < now then redis.call('HDEL', KEYS[5], ledger[i]) else stored = stored + ledger[i + 1] end
end
return {is_current and 1 or 0, stored}
"""


class Keys:
    """What one cache calls its keys."""

    def __init__(self, name: str) -> None:
        self._prefix = f"nexus:{{{name}}}:cache"
        self.generation = f"{self._prefix}:generation"
        self.marks = f"{self._prefix}:marks"
        self.beginning = f"{self._prefix}:beginning"

    def place(self, namespace: str, key: str) -> str:
        """Where the answer is stored, but for the generation that ends it."""
        digest = hashlib.blake2b(key.encode(), digest_size=16).hexdigest()
        return f"{self._prefix}:answer:{namespace}:{digest}:"

    def lease(self, place: str) -> str:
        """Who has it computes the answer for this place."""
        return f"{self._prefix}:lease:{place.removeprefix(self._prefix)}"

    def counts(self, namespace: str) -> str:
        """A hash: what all processes counted."""
        return f"{self._prefix}:counts:{namespace}"

    def ledger(self, namespace: str) -> str:
        """A hash: second (of Redis's clock) to the bytes that expire in it."""
        return f"{self._prefix}:ledger:{namespace}"
