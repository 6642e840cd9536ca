"""What happens to an account, from registration to erasure. Routes call it, inside the request's transaction.

Nothing here answers differently for an address that has an account than for one that has none.
"""

from collections.abc import Iterable
from uuid import UUID

from nexus_contracts.access_token import Role
from nexus_contracts.auth import (
    EmailVerificationRequested,
    PasswordResetRequested,
    RegistrationRepeated,
    UserDeleted,
    UserEmailVerified,
    UserRegistered,
    UserUpdated,
)
from nexus_kit.errors import NotFound
from nexus_kit.outbox import emit
from sqlalchemy import delete, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from nexus_auth import passwords
from nexus_auth.accounts.models import User
from nexus_auth.accounts.schemas import ForgottenPassword, PasswordReset, Registration
from nexus_auth.sessions import service as sessions
from nexus_auth.tokens import service as tokens
from nexus_auth.tokens.models import OneTimeToken, Purpose

# A request for a mail changes nothing that the profile shows, so it leaves the version alone: a stranger who asks
# for one must not make the owner's next PATCH fail. Only facts that change the account bump it.


async def register(session: AsyncSession, wanted: Registration) -> None:
    """Make the account and ask for the mail that verifies it; if the address is taken, have its owner told instead."""
    passwords.refuse_own_address(wanted.password, wanted.email)
    # Hashed before it is known whether there is any use for it, and while no database connection is held.
    password_hash = await passwords.hash_password(wanted.password)
    user = await create(session, wanted.email, wanted.full_name, password_hash)
    if user is not None:
        await emit(session, EmailVerificationRequested(user_id=user.id), sequence=user.version)
        return
    owner = await _by_address(session, wanted.email)
    if owner is not None:
        await emit(session, RegistrationRepeated(user_id=owner.id), sequence=owner.version)


async def create(
    session: AsyncSession, email: str, full_name: str, password_hash: str, roles: Iterable[Role] = (Role.USER,)
) -> User | None:
    """The new account, or None if the address is taken: also by somebody who registers it at this very moment."""
    values = {"email": email, "full_name": full_name, "password_hash": password_hash, "roles": sorted(roles)}
    statement = insert(User).values(values)
    user = await session.scalar(statement.on_conflict_do_nothing(index_elements=[User.email]).returning(User))
    if user is not None:
        await emit(session, UserRegistered(user_id=user.id), sequence=user.version)
    return user


async def verify_email(session: AsyncSession, token: str) -> None:
    """Take the token as proof of the address."""
    user = await tokens.consume(session, token, Purpose.VERIFY_EMAIL)
    await prove_address(session, user)


async def prove_address(session: AsyncSession, user: User) -> None:
    """The address is the user's: from their next access token on they may publish and book."""
    if not user.email_verified:
        user.prove_address()
        await session.flush()
        await emit(session, UserEmailVerified(user_id=user.id), sequence=user.version)


async def forgot_password(session: AsyncSession, forgotten: ForgottenPassword) -> None:
    """Have the owner of the address, if there is one, mailed a link that sets a new password."""
    owner = await _by_address(session, forgotten.email)
    if owner is not None:
        await emit(session, PasswordResetRequested(user_id=owner.id), sequence=owner.version)


async def reset_password(session: AsyncSession, reset: PasswordReset) -> None:
    """Set the password, and end every session: whoever knew the old one is out.

    The link was read in the account's mailbox, so it proves the address too. That ends pre-hijacking: an account that
    somebody made with a stranger's address becomes the stranger's, with a password and sessions of their own.
    """
    password_hash = await passwords.hash_password(reset.password)
    user = await tokens.consume(session, reset.token, Purpose.RESET_PASSWORD)
    passwords.refuse_own_address(reset.password, user.email or "")
    user.password_hash = password_hash
    await prove_address(session, user)
    await sessions.end(session, user.id)


async def read(session: AsyncSession, user_id: UUID, *, to_change: bool = False) -> User:
    """The account; locked if it is read to be changed. Raises `AccountClosed` once it is erased."""
    statement = select(User).where(User.id == user_id)
    user = await session.scalar(statement.with_for_update(key_share=True) if to_change else statement)
    if user is None:
        raise NotFound
    if user.deleted_at is not None:
        raise tokens.AccountClosed
    return user


async def rename(session: AsyncSession, user: User, full_name: str) -> None:
    """Change the name, of a user that was read to be changed."""
    if full_name == user.full_name:
        return
    user.full_name = full_name
    user.version += 1
    await session.flush()
    await emit(session, UserUpdated(user_id=user.id), sequence=user.version)


async def erase(session: AsyncSession, user_id: UUID) -> None:
    """Close the account for good: its personal data is gone with this transaction, and its address is free again."""
    user = await read(session, user_id, to_change=True)
    await sessions.end(session, user.id)
    await session.execute(delete(OneTimeToken).where(OneTimeToken.user_id == user.id))
    user.erase()
    await session.flush()
    await emit(session, UserDeleted(user_id=user.id), sequence=user.version)


async def _by_address(session: AsyncSession, email: str) -> User | None:
    user: User | None = await session.scalar(select(User).where(User.email == email))
    return user
