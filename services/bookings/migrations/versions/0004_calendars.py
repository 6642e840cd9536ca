"""Calendars out and in."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

NOW = sa.text("now()")
OWN_ID = sa.text("uuidv7()")


def upgrade() -> None:
    """New tables, and nights that know the calendar that took them."""
    op.create_table(
        "calendar_addresses",
        sa.Column("listing_id", sa.Uuid(), nullable=False),
        sa.Column("secret", sa.Text(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=NOW, nullable=False),
        sa.PrimaryKeyConstraint("listing_id"),
        sa.UniqueConstraint("secret"),
    )
    op.create_table(
        "calendars",
        sa.Column("id", sa.Uuid(), server_default=OWN_ID, nullable=False),
        sa.Column("listing_id", sa.Uuid(), nullable=False),
        sa.Column("host_id", sa.Uuid(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("url", sa.Text(), nullable=False),
        sa.Column("etag", sa.Text()),
        sa.Column("sync_at", sa.DateTime(timezone=True), server_default=NOW, nullable=False),
        sa.Column("failures", sa.Integer(), nullable=False),
        sa.Column("conflicted", sa.Integer(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=NOW, nullable=False),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("listing_id", "url", name="uq_calendars_listing_id_url"),
    )
    op.create_index("ix_calendars_sync_at", "calendars", ["sync_at"])
    op.create_table(
        "calendar_syncs",
        sa.Column("id", sa.Uuid(), server_default=OWN_ID, nullable=False),
        sa.Column("calendar_id", sa.Uuid(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), server_default=NOW, nullable=False),
        sa.Column("outcome", sa.String(20), nullable=False),
        sa.Column("events", sa.Integer(), nullable=False),
        sa.Column("closed", sa.Integer(), nullable=False),
        sa.Column("opened", sa.Integer(), nullable=False),
        sa.Column("conflicts", postgresql.ARRAY(sa.Date()), nullable=False),
        sa.Column("ignored", postgresql.ARRAY(sa.Text()), nullable=False),
        sa.Column("error", sa.Text()),
        sa.CheckConstraint("outcome IN ('synced', 'unchanged', 'failed')", name="outcome"),
        sa.ForeignKeyConstraint(["calendar_id"], ["calendars.id"], ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("ix_calendar_syncs_calendar_id", "calendar_syncs", ["calendar_id", "id"])
    op.add_column("nights", sa.Column("calendar_id", sa.Uuid()))
    op.create_foreign_key("fk_nights_calendar_id_calendars", "nights", "calendars", ["calendar_id"], ["id"])
    op.create_index(
        "ix_nights_calendar_id", "nights", ["calendar_id"], postgresql_where=sa.text("calendar_id IS NOT NULL")
    )


def downgrade() -> None:
    """What calendars closed is open again."""
    op.execute("DELETE FROM nights WHERE calendar_id IS NOT NULL")
    op.drop_column("nights", "calendar_id")
    for table in ("calendar_syncs", "calendars", "calendar_addresses"):
        op.drop_table(table)
