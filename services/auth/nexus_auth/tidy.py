"""What auth does by itself, every hour: forget the sessions and tokens that can do nothing any more.

`main.build` has the kit run it, in one process at a time. They hold personal data, so they are deleted, not archived.
"""

from nexus_kit.background import Periodic
from nexus_kit.runtime import Runtime

from nexus_auth.sessions import service as sessions
from nexus_auth.tokens import service as tokens


async def tidy(runtime: Runtime) -> None:
    """Delete expired rows, one table at a time: nobody need wait for more than one."""
    for forget_expired in (sessions.forget_expired, tokens.forget_expired):
        async with runtime.database.unit_of_work() as session:
            await forget_expired(session)


TIDY = Periodic("forget expired sessions and tokens", 3600, tidy)
