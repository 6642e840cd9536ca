"""The table of sessions, and what a presented refresh token may do to one."""

import secrets
from datetime import timedelta
from enum import Enum
from typing import NamedTuple
from uuid import UUID

from nexus_kit.db import BigInt, CreatedAt, Timestamp, Uuid7Pk
from sqlalchemy import ForeignKey, Index, Interval, cast, func, text
from sqlalchemy.orm import Mapped, mapped_column

from nexus_auth.db import Base

IDLE = timedelta(days=30)
"""A session that nobody refreshes for this long expires."""
ABSOLUTE = timedelta(days=180)
"""However often it is refreshed, a session ends then."""


class Move(Enum):
    """What presenting a refresh token does, decided by how far its counter is behind the session's."""

    ROTATE = 0
    """The current token: the session steps forward and hands out the next."""
    REPEAT = 1
    """The one before: its answer was lost, or a second tab sent it too. The current token is handed out again."""
    END = 2
    """An older one: somebody else has used the newer ones. Thief or owner, nobody keeps this session."""

    @classmethod
    def of(cls, steps_behind: int) -> "Move":
        """The move for a token that is `steps_behind` (0 or more) the current one."""
        return cls(min(steps_behind, 2))


class Device(NamedTuple):
    """What a session shows its user, so that they recognise it."""

    ip: str | None
    user_agent: str | None


class Session(Base):
    """One signed-in device. A row outlives its end until `expires_at`, so that a late refresh is told what happened."""

    __tablename__ = "sessions"
    __table_args__ = (
        Index(None, "user_id", "id", postgresql_where=text("ended_at IS NULL")),
        Index(None, "expires_at"),
    )

    id: Mapped[Uuid7Pk]
    user_id: Mapped[UUID] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"))
    refresh_key: Mapped[bytes] = mapped_column(default=lambda: secrets.token_bytes(32))
    """Seals this session's refresh tokens; never leaves the database."""
    refresh_counter: Mapped[BigInt] = mapped_column(server_default=text("0"))
    """The counter of the current refresh token."""
    created_at: Mapped[CreatedAt]
    last_used_at: Mapped[CreatedAt]
    """When it was last refreshed."""
    expires_at: Mapped[Timestamp]
    """Thirty days after the last use, but never more than 180 after the beginning."""
    ended_at: Mapped[Timestamp | None]
    """When it was logged out, revoked, or ended because an old refresh token came back."""
    ip: Mapped[str | None]
    """Where it was last used from. Erased when the session ends."""
    user_agent: Mapped[str | None]
    """What it was last used with. Erased when the session ends."""

    def touch(self, device: Device) -> None:
        """It is being used now, on that device."""
        self.last_used_at = func.now()
        self.expires_at = func.least(func.now() + cast(IDLE, Interval), Session.created_at + cast(ABSOLUTE, Interval))
        self.ip, self.user_agent = device

    def end(self) -> None:
        """It is over; what it knew of its user's whereabouts goes with it."""
        self.ended_at = func.now()
        self.ip = self.user_agent = None
