"""The worker: the only consumer of the event streams. `reactions.py` says what happens when, the rest does it."""
