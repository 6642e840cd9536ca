"""Rates, rules and terms of a listing; where an import knows it by; its rating; hosts who were erased."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

POLICIES = "cancellation_policy IN ('flexible', 'moderate', 'strict'{more})"
EMPTY = sa.text("'[]'::jsonb")
NONE = sa.text("'{}'::text[]")


def upgrade() -> None:
    """Add columns with defaults: rows are not rewritten, and the former code goes on."""
    for column in added():
        op.add_column("listings", column)
    op.drop_constraint("ck_listings_cancellation_policy", "listings")
    op.create_check_constraint("cancellation_policy", "listings", POLICIES.format(more=", 'custom'"))
    op.create_check_constraint("included_guests", "listings", "included_guests BETWEEN 1 AND capacity")
    op.create_check_constraint("extra_guest_fee", "listings", "extra_guest_fee_amount >= 0")
    op.create_check_constraint(
        "tiers_of_custom", "listings", "cancellation_policy = 'custom' OR cancellation_tiers = '[]'"
    )
    op.create_check_constraint(
        "tiers_complete",
        "listings",
        "published_at IS NULL OR cancellation_policy <> 'custom' OR cancellation_tiers <> '[]'",
    )
    op.create_check_constraint("window", "listings", "advance_notice_hours >= 0 AND booking_window_days > 0")
    op.create_check_constraint("rating", "listings", "rating BETWEEN 1 AND 5 AND reviews >= 0")
    op.create_unique_constraint("uq_listings_host_id_external_id", "listings", ["host_id", "external_id"])
    op.create_table(
        "erased_hosts",
        sa.Column("host_id", sa.Uuid(), nullable=False),
        sa.Column("erased_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.PrimaryKeyConstraint("host_id"),
    )


def added() -> list[sa.Column[object]]:
    """The new columns of a listing."""
    return [
        sa.Column("external_id", sa.Text()),
        sa.Column("included_guests", sa.Integer()),
        sa.Column("extra_guest_fee_amount", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("rates", postgresql.JSONB(), server_default=sa.text("""'{"rules": []}'::jsonb"""), nullable=False),
        sa.Column("length_discounts", postgresql.JSONB(), server_default=EMPTY, nullable=False),
        sa.Column("advance_notice_hours", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("booking_window_days", sa.Integer(), server_default=sa.text("540"), nullable=False),
        sa.Column("check_in_time", sa.Time(), server_default=sa.text("'15:00'"), nullable=False),
        sa.Column("check_out_time", sa.Time(), server_default=sa.text("'11:00'"), nullable=False),
        sa.Column("house_rules", postgresql.ARRAY(sa.Text()), server_default=NONE, nullable=False),
        sa.Column("cancellation_tiers", postgresql.JSONB(), server_default=EMPTY, nullable=False),
        sa.Column("rating", sa.Double()),
        sa.Column("reviews", sa.Integer(), server_default=sa.text("0"), nullable=False),
    ]


def downgrade() -> None:
    """Forget what the former code does not know. A custom policy becomes a strict one."""
    op.drop_table("erased_hosts")
    op.drop_constraint("uq_listings_host_id_external_id", "listings")
    op.drop_constraint("ck_listings_cancellation_policy", "listings")
    op.execute(
        "UPDATE listings SET cancellation_policy = 'strict', cancellation_tiers = '[]'"
        " WHERE cancellation_policy = 'custom'"
    )
    op.create_check_constraint("cancellation_policy", "listings", POLICIES.format(more=""))
    for column in added():
        op.drop_column("listings", column.name)
