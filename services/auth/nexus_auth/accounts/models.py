"""The table of accounts. The database itself keeps an address unique, and an erased account empty."""

from nexus_contracts.access_token import Role
from nexus_kit.db import CreatedAt, Timestamp, Uuid7Pk
from sqlalchemy import ARRAY, CheckConstraint, Text, UniqueConstraint, func, text
from sqlalchemy.orm import Mapped, mapped_column

from nexus_auth.db import Base

_WHOLE = "deleted_at IS NULL AND num_nulls(email, full_name, password_hash) = 0"
_ERASED = "deleted_at IS NOT NULL AND num_nonnulls(email, full_name, password_hash) = 0"


class User(Base):
    """One account. Personal data stands here and in no other service."""

    __tablename__ = "users"
    __table_args__ = (
        UniqueConstraint("email"),
        CheckConstraint("email = lower(email)", name="email_lower"),
        CheckConstraint(f"({_WHOLE}) OR ({_ERASED})", name="whole_or_erased"),
        CheckConstraint("roles <@ ARRAY['user', 'admin']", name="roles_known"),
    )

    id: Mapped[Uuid7Pk]
    email: Mapped[str | None]
    """In lower case, its domain in IDNA's ASCII form: two spellings of one mailbox are one account."""
    full_name: Mapped[str | None]
    password_hash: Mapped[str | None]
    """argon2id, in the PHC string format."""
    roles: Mapped[list[str]] = mapped_column(ARRAY(Text), server_default=text("'{user}'"))
    email_verified_at: Mapped[Timestamp | None]
    """When the owner proved the address, by a mailed link."""
    version: Mapped[int] = mapped_column(server_default=text("1"))
    """Grows with every change that the profile shows: the ETag, and the `sequence` of the account's events."""
    created_at: Mapped[CreatedAt]
    deleted_at: Mapped[Timestamp | None]
    """When the owner closed the account; the row stays as the id that other services' records point to."""

    @property
    def email_verified(self) -> bool:
        """Needed to publish and to book."""
        return self.email_verified_at is not None

    def granted(self) -> frozenset[Role]:
        """The roles as an access token states them."""
        return frozenset(Role(role) for role in self.roles)

    def prove_address(self) -> None:
        """The owner has used a mailed link."""
        self.email_verified_at = func.now()
        self.version += 1

    def erase(self) -> None:
        """Forget who this was."""
        self.email = self.full_name = self.password_hash = self.email_verified_at = None
        self.deleted_at = func.now()
        self.version += 1
