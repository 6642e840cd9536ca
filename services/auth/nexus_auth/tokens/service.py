"""Minting one-time tokens (the worker asks, when it sends a mail) and consuming them (`accounts` asks)."""

import hashlib
import secrets
from uuid import UUID

from nexus_kit.errors import BadRequest, Gone, NotFound
from sqlalchemy import Interval, cast, delete, func, insert, select
from sqlalchemy.ext.asyncio import AsyncSession

from nexus_auth.accounts.models import User
from nexus_auth.tokens.models import LIFETIME, OneTimeToken, Purpose
from nexus_auth.tokens.schemas import MintedToken


class InvalidToken(BadRequest):
    """This link is not valid, or no longer: it works once, and only for some time."""


class AccountClosed(Gone):
    """This account was closed and its personal data erased."""


async def mint(session: AsyncSession, user_id: UUID, purpose: Purpose) -> MintedToken:
    """A new token for this user; earlier ones stay good, since mails may overtake each other."""
    user = await session.get(User, user_id)
    if user is None:
        raise NotFound
    if user.deleted_at is not None:
        raise AccountClosed
    token = secrets.token_urlsafe(32)
    row = insert(OneTimeToken).values(
        token_hash=_digest(token),
        user_id=user_id,
        purpose=purpose,
        expires_at=func.now() + cast(LIFETIME[purpose], Interval),
    )
    expires_at = (await session.execute(row.returning(OneTimeToken.expires_at))).scalar_one()
    return MintedToken(token=token, expires_at=expires_at)


async def consume(session: AsyncSession, token: str, purpose: Purpose) -> User:
    """The user whose token this is, locked; all their tokens of this purpose are spent by it.

    Raises `InvalidToken` whether it never existed, was used, or expired: a guess learns nothing.
    """
    digest = _digest(token)
    good = (OneTimeToken.token_hash == digest, OneTimeToken.purpose == purpose, OneTimeToken.expires_at > func.now())
    owner = select(User).join(OneTimeToken).where(*good, User.deleted_at.is_(None))
    user = await session.scalar(owner.with_for_update(of=User, key_share=True))
    if user is None:
        raise InvalidToken
    spent = await session.scalars(
        delete(OneTimeToken)
        .where(OneTimeToken.user_id == user.id, OneTimeToken.purpose == purpose)
        .returning(OneTimeToken.token_hash)
    )
    # Whoever waited for the lock while the same token was used finds it gone.
    if digest not in spent.all():
        raise InvalidToken
    return user


async def forget_expired(session: AsyncSession) -> None:
    """Drop the rows that can do nothing any more."""
    await session.execute(delete(OneTimeToken).where(OneTimeToken.expires_at < func.now()))


def _digest(token: str) -> bytes:
    return hashlib.sha256(token.encode()).digest()
