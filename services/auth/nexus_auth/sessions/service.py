"""Signing in, staying signed in, and ending sessions. Routes call it; `accounts` ends sessions through it."""

from datetime import datetime
from uuid import UUID

from nexus_contracts import auth as facts
from nexus_kit.db import UnitOfWork
from nexus_kit.errors import NotFound, Unauthorized
from nexus_kit.outbox import emit
from sqlalchemy import ColumnElement, Interval, Select, cast, delete, func, select
from sqlalchemy.ext.asyncio import AsyncSession

from nexus_auth import passwords
from nexus_auth.accounts.models import User
from nexus_auth.keys.service import KeyRing
from nexus_auth.refresh_tokens import RefreshToken
from nexus_auth.sessions.models import IDLE, Device, Move, Session
from nexus_auth.sessions.schemas import Credentials, TokenPair


class InvalidCredentials(Unauthorized):
    """The address or the password is wrong."""


class InvalidRefreshToken(Unauthorized):
    """This is not a refresh token of ours; sign in again."""


class SessionRevoked(Unauthorized):
    """This session has ended; sign in again."""


async def login(work: UnitOfWork, keys: KeyRing, given: Credentials, device: Device) -> TokenPair:
    """Begin a session. Raises `InvalidCredentials`, after the same time whether it is the address or the password.

    Two transactions, so that no connection is held while the password is hashed in between.
    """
    async with work() as session:
        known = (
            await session.execute(select(User.id, User.password_hash).where(User.email == given.email))
        ).one_or_none()
    if not await passwords.verify_password(given.password, known and known.password_hash) or known is None:
        raise InvalidCredentials
    async with work() as session:
        # Locked and compared again: a reset that ends every session must not overlook one that is just beginning.
        same = (User.id == known.id, User.password_hash == known.password_hash)
        user = await session.scalar(select(User).where(*same).with_for_update(key_share=True))
        if user is None:
            raise InvalidCredentials
        begun = Session(user_id=user.id, expires_at=func.now() + cast(IDLE, Interval), **device._asdict())
        session.add(begun)
        await session.flush()
        return _pair(keys, user, begun)


async def refresh(work: UnitOfWork, keys: KeyRing, token: str, device: Device) -> TokenPair:
    """The next pair, or the current one again for a token one step old. Raises `InvalidRefreshToken`, `SessionRevoked`.

    The last is raised only after the commit: raised inside, it would undo the very ending that it reports.
    """
    async with work() as session:
        pair = await _advance(session, keys, token, device)
    if pair is None:
        raise SessionRevoked
    return pair


async def _advance(session: AsyncSession, keys: KeyRing, token: str, device: Device) -> TokenPair | None:
    """One move of the session, under its row lock; None when that is its end, or it had ended before."""
    claimed = RefreshToken.read(token)
    if claimed is None:
        raise InvalidRefreshToken
    row = (await session.execute(_with_user(claimed.session_id))).one_or_none()
    if row is None or not claimed.sealed_with(row.Session.refresh_key) or claimed.counter > row.Session.refresh_counter:
        raise InvalidRefreshToken
    current, user = row.Session, row.User
    if not row.live:
        return None
    move = Move.of(current.refresh_counter - claimed.counter)
    if move is Move.END:
        await _end(session, current)
        return None
    if move is Move.ROTATE:
        current.refresh_counter += 1
    current.touch(device)
    await session.flush()
    return _pair(keys, user, current)


async def end(session: AsyncSession, user_id: UUID, *, only: UUID | None = None, but: UUID | None = None) -> int:
    """End the user's sessions: all, `only` one, or all `but` one; their tokens are refused everywhere within seconds.

    Answers how many there were. Locked in the order of their ids, so that two who end the same ones cannot deadlock.
    """
    wanted = select(Session).where(*_live(user_id)).order_by(Session.id).with_for_update()
    if only is not None:
        wanted = wanted.where(Session.id == only)
    if but is not None:
        wanted = wanted.where(Session.id != but)
    ending = (await session.scalars(wanted)).all()
    for each in ending:
        await _end(session, each)
    return len(ending)


async def revoke(session: AsyncSession, user_id: UUID, session_id: UUID) -> None:
    """End one session of this user. Raises `NotFound` for anybody else's, and for one that has ended."""
    if not await end(session, user_id, only=session_id):
        raise NotFound


async def forget_expired(session: AsyncSession) -> None:
    """Drop the rows whose refresh tokens can do nothing any more."""
    await session.execute(delete(Session).where(Session.expires_at < func.now()))


def devices(user_id: UUID, *, current: UUID) -> Select[UUID, datetime, datetime, str | None, str | None, bool]:
    """The columns of the user's device list, the newest first."""
    shown = (Session.id, Session.created_at, Session.last_used_at, Session.ip, Session.user_agent)
    return select(*shown, (Session.id == current).label("current")).where(*_live(user_id)).order_by(Session.id.desc())


def _live(user_id: UUID) -> tuple[ColumnElement[bool], ...]:
    return Session.user_id == user_id, Session.ended_at.is_(None), Session.expires_at > func.now()


def _with_user(session_id: UUID) -> Select[Session, User, bool]:
    live = (Session.ended_at.is_(None) & (Session.expires_at > func.now())).label("live")
    joined = select(Session, User, live).join(User, User.id == Session.user_id).where(Session.id == session_id)
    return joined.with_for_update(of=Session)


async def _end(session: AsyncSession, ending: Session) -> None:
    ending.end()
    # A session states one fact in its life, so its sequence is always the first.
    await emit(session, facts.SessionRevoked(session_id=ending.id, user_id=ending.user_id), sequence=1)


def _pair(keys: KeyRing, user: User, current: Session) -> TokenPair:
    return TokenPair(
        access_token=keys.access_token(user.id, current.id, roles=user.granted(), email_verified=user.email_verified),
        refresh_token=RefreshToken.issue(current.id, current.refresh_counter, current.refresh_key),
    )
