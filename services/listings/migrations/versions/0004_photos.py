"""Photos of listings."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """A table of its own, and what a listing shows of it: with a default, so that no row is rewritten."""
    op.create_table(
        "photos",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("listing_id", sa.Uuid(), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("alt", sa.Text(), nullable=False),
        sa.Column("status", sa.String(20), nullable=False),
        sa.Column("reason", sa.Text()),
        sa.Column("digest", sa.LargeBinary(), nullable=False),
        sa.Column("width", sa.Integer(), nullable=False),
        sa.Column("height", sa.Integer(), nullable=False),
        sa.Column("version", sa.Integer(), server_default=sa.text("1"), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.CheckConstraint("status IN ('processing', 'ready', 'failed')", name="status"),
        sa.CheckConstraint("(status = 'failed') = (reason IS NOT NULL)", name="reason"),
        sa.CheckConstraint("position BETWEEN 1 AND 20", name="position"),
        sa.ForeignKeyConstraint(["listing_id"], ["listings.id"]),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("listing_id", "position", deferrable=True, initially="DEFERRED"),
        sa.UniqueConstraint("listing_id", "digest"),
    )
    shown = sa.Column("photos", postgresql.JSONB(), server_default=sa.text("'[]'::jsonb"), nullable=False)
    op.add_column("listings", shown)


def downgrade() -> None:
    """Forget the photos; their files stay in the store."""
    op.drop_column("listings", "photos")
    op.drop_table("photos")
