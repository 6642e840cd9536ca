"""Passwords: which are accepted, how they are hashed, and how long that takes for whoever asks.

`accounts` and `sessions` await it; nothing else sees a password.
"""

import os
import secrets
import unicodedata
from typing import Annotated

import anyio
from anyio import to_thread
from nexus_kit.errors import FieldError, ValidationFailed
from pwdlib import PasswordHash
from pwdlib.hashers.argon2 import Argon2Hasher
from pydantic import AfterValidator, Field, StringConstraints
from pydantic_core import PydanticCustomError

# OWASP's first recommendation for argon2id: 19 MiB, two passes, one lane.
_hasher = PasswordHash([Argon2Hasher(memory_cost=19 * 1024, time_cost=2, parallelism=1)])

# Each hash keeps a core busy and holds its memory: more at once would only make every caller wait longer.
_limiter = anyio.CapacityLimiter(os.cpu_count() or 1)

_NOBODYS_HASH = _hasher.hash(secrets.token_urlsafe())
"""Verified against when there is no such account, so that the answer takes as long as for a wrong password."""

# The few of at least ten characters that lead every list of leaked passwords.
_COMMON = frozenset(
    {"1234567890", "12345678910", "0123456789", "0987654321", "1111111111", "0000000000", "123123123123", "1q2w3e4r5t"}
    | {"qwertyuiop", "qwerty12345", "qwerty123456", "qwertyuiop123", "1qaz2wsx3edc", "q1w2e3r4t5y6", "asdfghjkl123"}
    | {"password12", "password123", "password1234", "passwordpassword", "iloveyou123", "letmein1234", "changeme123"}
    | {"administrator", "welcome123", "welcome1234", "nexusnexus", "abcdefghij", "abcd123456", "abc1234567"}
)


def normalised(password: str) -> str:
    """One spelling (NFKC) for what different keyboards send for the same keys."""
    return unicodedata.normalize("NFKC", password)


def _not_common(password: str) -> str:
    if normalised(password).casefold() in _COMMON:
        raise PydanticCustomError("password_too_common", "is among the first that anybody would try")
    return password


TypedPassword = Annotated[str, StringConstraints(strip_whitespace=False, min_length=1, max_length=128)]
"""A password as somebody types it to sign in: any that could ever have been set."""

NewPassword = Annotated[
    str,
    StringConstraints(strip_whitespace=False, min_length=10, max_length=128),
    AfterValidator(_not_common),
    Field(description="10 to 128 characters; spaces and all scripts welcome.", examples=["a walk by Lake Tana"]),
]
"""A password that somebody chooses."""


def refuse_own_address(password: str, email: str) -> None:
    """Raises `ValidationFailed` if the password is the account's own address."""
    if normalised(password).casefold() == email:
        error = FieldError(pointer="/password", code="password_is_email", message="must not be the e-mail address")
        raise ValidationFailed("The password must not be the e-mail address.", errors=[error])


async def hash_password(password: str) -> str:
    """The argon2id hash to store. Takes about 20 ms of one core: await it while holding no database connection."""
    return await to_thread.run_sync(_hasher.hash, normalised(password), limiter=_limiter)


async def verify_password(password: str, stored: str | None) -> bool:
    """Whether it matches. Without a stored hash it takes the same time, and does not."""
    matches = await to_thread.run_sync(_hasher.verify, normalised(password), stored or _NOBODYS_HASH, limiter=_limiter)
    return matches and stored is not None
