"""How often the unauthenticated calls may be made: per client address, and per e-mail address whoever asks.

Routes name them. Many people share one client address (a campus, a mobile carrier), so those limits are wide; the
limits per e-mail address are what stops guessing one account's password, or filling one mailbox.
"""

from collections.abc import AsyncIterator

import anyio
from fastapi import Depends
from nexus_kit.ratelimit import Limit, limit

LOGIN_BY_CLIENT = limit("login", per_minute=60)
REGISTER_BY_CLIENT = limit("register", per_minute=30)
FORGOT_BY_CLIENT = limit("forgot-password", per_minute=30)
RESET_BY_CLIENT = limit("reset-password", per_minute=30)

LOGIN_BY_ADDRESS = Limit("login-by-address", per_minute=10)
MAIL_BY_ADDRESS = Limit("mail-by-address", per_minute=3)
"""Shared by registering and forgetting, since both make a mail."""

EVEN_SECONDS = 0.15
"""Longer than registering takes on an idle machine, most of which is the password's hash."""


async def evenly() -> AsyncIterator[None]:
    """The dependency behind `EVENLY`. Entered before the transaction and left after it, so it waits without one."""
    due = anyio.current_time() + EVEN_SECONDS
    try:
        yield
    finally:
        await anyio.sleep_until(due)


EVENLY = Depends(evenly, scope="function")
"""Answers no sooner than `EVEN_SECONDS`: a commit more or less does not tell whether the address has an account."""
