"""Accounts, their sessions and one-time tokens, and the outbox.

Revision ID: 0001
Revises:
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import ARRAY, JSONB

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

NOW = sa.text("now()")
UUIDV7 = sa.text("uuidv7()")
INSTANT = sa.DateTime(timezone=True)


def upgrade() -> None:
    """The tables of `nexus_auth.accounts`, `.sessions` and `.tokens`, and the kit's outbox."""
    op.create_table(
        "users",
        sa.Column("id", sa.Uuid, server_default=UUIDV7, nullable=False),
        sa.Column("email", sa.String),
        sa.Column("full_name", sa.String),
        sa.Column("password_hash", sa.String),
        sa.Column("roles", ARRAY(sa.Text), server_default=sa.text("'{user}'"), nullable=False),
        sa.Column("email_verified_at", INSTANT),
        sa.Column("version", sa.Integer, server_default=sa.text("1"), nullable=False),
        sa.Column("created_at", INSTANT, server_default=NOW, nullable=False),
        sa.Column("deleted_at", INSTANT),
        sa.PrimaryKeyConstraint("id", name="pk_users"),
        sa.UniqueConstraint("email", name="uq_users_email"),
        sa.CheckConstraint("email = lower(email)", name="email_lower"),
        sa.CheckConstraint(
            "(deleted_at IS NULL AND num_nulls(email, full_name, password_hash) = 0)"
            " OR (deleted_at IS NOT NULL AND num_nonnulls(email, full_name, password_hash) = 0)",
            name="whole_or_erased",
        ),
        sa.CheckConstraint("roles <@ ARRAY['user', 'admin']", name="roles_known"),
    )
    op.create_table(
        "sessions",
        sa.Column("id", sa.Uuid, server_default=UUIDV7, nullable=False),
        sa.Column("user_id", sa.Uuid, nullable=False),
        sa.Column("refresh_key", sa.LargeBinary, nullable=False),
        sa.Column("refresh_counter", sa.BigInteger, server_default=sa.text("0"), nullable=False),
        sa.Column("created_at", INSTANT, server_default=NOW, nullable=False),
        sa.Column("last_used_at", INSTANT, server_default=NOW, nullable=False),
        sa.Column("expires_at", INSTANT, nullable=False),
        sa.Column("ended_at", INSTANT),
        sa.Column("ip", sa.String),
        sa.Column("user_agent", sa.String),
        sa.PrimaryKeyConstraint("id", name="pk_sessions"),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name="fk_sessions_user_id_users", ondelete="CASCADE"),
    )
    op.create_index(
        "ix_sessions_user_id_id", "sessions", ["user_id", "id"], postgresql_where=sa.text("ended_at IS NULL")
    )
    op.create_index("ix_sessions_expires_at", "sessions", ["expires_at"])
    op.create_table(
        "one_time_tokens",
        sa.Column("token_hash", sa.LargeBinary, nullable=False),
        sa.Column("user_id", sa.Uuid, nullable=False),
        sa.Column("purpose", sa.Text, nullable=False),
        sa.Column("expires_at", INSTANT, nullable=False),
        sa.Column("created_at", INSTANT, server_default=NOW, nullable=False),
        sa.PrimaryKeyConstraint("token_hash", name="pk_one_time_tokens"),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name="fk_one_time_tokens_user_id_users", ondelete="CASCADE"),
        sa.CheckConstraint("purpose IN ('verify_email', 'reset_password')", name="purpose_known"),
    )
    op.create_index("ix_one_time_tokens_user_id_purpose", "one_time_tokens", ["user_id", "purpose"])
    op.create_index("ix_one_time_tokens_expires_at", "one_time_tokens", ["expires_at"])
    op.create_table(
        "outbox",
        sa.Column("id", sa.BigInteger, sa.Identity(always=True), nullable=False),
        sa.Column("event_id", sa.Uuid, server_default=UUIDV7, nullable=False),
        sa.Column("type", sa.Text, nullable=False),
        sa.Column("subject", sa.Uuid, nullable=False),
        sa.Column("sequence", sa.Integer, nullable=False),
        sa.Column("time", INSTANT, server_default=NOW, nullable=False),
        sa.Column("data", JSONB, nullable=False),
        sa.Column("traceparent", sa.Text),
        sa.Column("request_id", sa.Text),
        sa.Column("published_at", INSTANT),
        sa.PrimaryKeyConstraint("id", name="pk_outbox"),
    )
    op.create_index("ix_outbox_unpublished", "outbox", ["id"], postgresql_where=sa.text("published_at IS NULL"))
    op.create_index(
        "ix_outbox_published_at", "outbox", ["published_at"], postgresql_where=sa.text("published_at IS NOT NULL")
    )


def downgrade() -> None:
    """Everything goes."""
    for table in ("outbox", "one_time_tokens", "sessions", "users"):
        op.drop_table(table)
