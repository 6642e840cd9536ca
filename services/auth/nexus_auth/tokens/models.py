"""The table of one-time tokens. Only their hashes are kept: whoever reads this table can use none of them."""

from datetime import timedelta
from enum import StrEnum
from uuid import UUID

from nexus_kit.db import CreatedAt, Timestamp
from sqlalchemy import CheckConstraint, ForeignKey, Index, Text
from sqlalchemy.orm import Mapped, mapped_column

from nexus_auth.db import Base


class Purpose(StrEnum):
    """What a token is good for; it is good for nothing else."""

    VERIFY_EMAIL = "verify_email"
    """Proves that whoever uses it reads the account's mail."""
    RESET_PASSWORD = "reset_password"  # noqa: S105 - a name, not a password
    """The same, and sets a new password."""


LIFETIME = {Purpose.VERIFY_EMAIL: timedelta(hours=24), Purpose.RESET_PASSWORD: timedelta(hours=1)}


class OneTimeToken(Base):
    """One mailed secret, until it is used or expires."""

    __tablename__ = "one_time_tokens"
    __table_args__ = (
        Index(None, "user_id", "purpose"),
        Index(None, "expires_at"),
        CheckConstraint("purpose IN ('verify_email', 'reset_password')", name="purpose_known"),
    )

    token_hash: Mapped[bytes] = mapped_column(primary_key=True)
    """SHA-256. The token has 256 random bits, so a slow hash would add nothing."""
    user_id: Mapped[UUID] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"))
    purpose: Mapped[Purpose] = mapped_column(Text)
    expires_at: Mapped[Timestamp]
    created_at: Mapped[CreatedAt]
