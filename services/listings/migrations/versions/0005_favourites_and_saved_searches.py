"""What signed-in users keep: favourites and saved searches."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Two new tables, which the former code does not know."""
    op.create_table(
        "favourites",
        sa.Column("user_id", sa.Uuid(), nullable=False),
        sa.Column("listing_id", sa.Uuid(), nullable=False),
        sa.Column("kept_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.ForeignKeyConstraint(["listing_id"], ["listings.id"]),
        sa.PrimaryKeyConstraint("user_id", "listing_id"),
    )
    op.create_index(
        "ix_favourites_user_id", "favourites", ["user_id", sa.text("kept_at DESC"), sa.text("listing_id DESC")]
    )
    op.create_table(
        "saved_searches",
        sa.Column("id", sa.Uuid(), server_default=sa.text("uuidv7()"), nullable=False),
        sa.Column("user_id", sa.Uuid(), nullable=False),
        sa.Column("version", sa.Integer(), server_default=sa.text("1"), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("filters", postgresql.JSONB(), nullable=False),
        sa.Column("notify", sa.Text(), nullable=False),
        sa.Column("unsubscribe_token", sa.Text(), nullable=False),
        sa.Column("looked_until", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("next_look_at", sa.DateTime(timezone=True)),
        sa.Column("times_matched", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.CheckConstraint("notify IN ('daily', 'never')", name="notify"),
        sa.CheckConstraint("notify = 'daily' OR next_look_at IS NULL", name="next_look_at"),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("ix_saved_searches_user_id", "saved_searches", ["user_id", sa.text("id DESC")])
    op.create_index(
        "ix_saved_searches_next_look_at",
        "saved_searches",
        ["next_look_at"],
        postgresql_where=sa.text("next_look_at IS NOT NULL"),
    )


def downgrade() -> None:
    """Forget what the former code does not know."""
    op.drop_table("saved_searches")
    op.drop_table("favourites")
