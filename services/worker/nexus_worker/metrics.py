"""What the worker counts, shown at /metrics. `react` and `reader` count; `chores` measures every few seconds."""

from prometheus_client import Counter, Gauge, Histogram

REACTIONS = Counter(
    "nexus_reactions",
    "Reactions by how they ended: done, repeated (already done: nothing happened), failed (tried again), given_up.",
    ["reaction", "outcome"],
)
REACTION_SECONDS = Histogram("nexus_reaction_seconds", "Time that a reaction took, its commit included.", ["reaction"])
EVENT_AGE = Histogram(
    "nexus_reaction_event_age_seconds",
    "Time from the fact to the end of a reaction to it.",
    ["reaction"],
    buckets=(0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 15, 60, 300, 3600),
)
EVENTS = Counter("nexus_events", "Stream entries by what became of them: enqueued, ignored, dead.", ["outcome"])
LAG = Gauge("nexus_stream_lag", "Entries of a stream that the worker has not been given yet.", ["stream"])
PENDING = Gauge("nexus_stream_pending", "Entries of a stream that were given and not acknowledged.", ["stream"])
QUEUE = Gauge(
    "nexus_queue_messages",
    "Messages in a queue of the worker: waiting, or delayed until a next try.",
    ["queue", "state"],
)
DEAD_LETTERS = Gauge("nexus_dead_letters", "Open dead letters: reactions given up, events not readable.", ["kind"])
