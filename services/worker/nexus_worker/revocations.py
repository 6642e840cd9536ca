"""Revocation: the key in Redis that makes every service refuse the tokens of a session that has ended."""

from nexus_contracts.access_token import ACCESS_TOKEN_SECONDS, revoked_session_key
from nexus_contracts.auth import SessionRevoked

from nexus_worker.job import Job

_OUTLIVES_TOKENS = ACCESS_TOKEN_SECONDS + 60
"""After this, every token of the session has expired by itself, whatever the clocks of two hosts say."""


async def refuse_session(job: Job[SessionRevoked]) -> None:
    """Put up the key that `nexus_kit.tokens.Verifier` looks for."""
    await job.tools.events.set(revoked_session_key(job.fact.session_id), "1", ex=_OUTLIVES_TOKENS)
