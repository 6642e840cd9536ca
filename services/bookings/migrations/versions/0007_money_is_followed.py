"""Refunds are followed until they are done, payouts after they were paid; quotes that nobody took up are forgotten.

What was given back until now counts as done: the provider had accepted it, and the ledger says so already.
"""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0005"
branch_labels = None
depends_on = None

INSTANT = sa.DateTime(timezone=True)
FORMER_KINDS = (
    "'payment_received', 'payment_charged', 'payment_returned', 'earned', 'changed', 'released', 'refund_paid', "
    "'payout_ordered', 'payout_paid', 'payout_charged', 'payout_failed'"
)
KINDS = FORMER_KINDS.replace("'payout_failed'", "'payout_returned', 'payout_failed'")


def upgrade() -> None:
    """Forget first, since nobody can touch money after the rest has begun. Add, backfill, then hold to it."""
    op.execute(
        "DELETE FROM quotes WHERE valid_until < now() - interval '1 day' "
        "AND NOT EXISTS (SELECT FROM bookings WHERE bookings.quote_id = quotes.id) "
        "AND NOT EXISTS (SELECT FROM booking_changes WHERE booking_changes.quote_id = quotes.id)"
    )
    _refunds()
    _payouts()
    _allow_kinds(KINDS)


def downgrade() -> None:
    """A refund that was accepted is ordered again, under the name that the provider knows it by."""
    op.execute("ALTER TABLE ledger_transactions DISABLE TRIGGER ledger_transactions_are_never_changed")
    op.execute("UPDATE ledger_transactions SET kind = 'payment_returned' WHERE kind = 'payout_returned'")
    op.execute("ALTER TABLE ledger_transactions ENABLE TRIGGER ledger_transactions_are_never_changed")
    _allow_kinds(FORMER_KINDS)
    op.drop_index("ix_payouts_attention_since", "payouts")
    op.drop_constraint(op.f("ck_payouts_paid_at"), "payouts")
    op.drop_constraint(op.f("ck_payouts_due_at"), "payouts")
    op.execute("UPDATE payouts SET due_at = NULL WHERE status <> 'pending'")
    op.create_check_constraint(op.f("ck_payouts_due_at"), "payouts", "(status = 'pending') = (due_at IS NOT NULL)")
    for column in ("attention_since", "paid_at"):
        op.drop_column("payouts", column)
    for name in ("status", "done_at", "stuck_at"):
        op.drop_constraint(op.f(f"ck_refunds_{name}"), "refunds")
    for column in ("accepted_at", "status"):
        op.drop_column("refunds", column)


def _refunds() -> None:
    op.add_column("refunds", sa.Column("status", sa.String(20), server_default="ordered", nullable=False))
    op.add_column("refunds", sa.Column("accepted_at", INSTANT))
    op.execute("UPDATE refunds SET status = 'done', accepted_at = done_at, stuck_at = NULL WHERE done_at IS NOT NULL")
    op.execute("UPDATE refunds SET status = 'stuck' WHERE stuck_at IS NOT NULL")
    op.create_check_constraint(
        op.f("ck_refunds_status"), "refunds", "status IN ('ordered', 'accepted', 'done', 'stuck')"
    )
    for status in ("done", "stuck"):
        column = f"{status}_at"
        is_so = f"(status = '{status}') = ({column} IS NOT NULL)"
        op.create_check_constraint(op.f(f"ck_refunds_{column}"), "refunds", is_so)


def _payouts() -> None:
    op.add_column("payouts", sa.Column("paid_at", INSTANT))
    op.add_column("payouts", sa.Column("attention_since", INSTANT))
    op.drop_constraint(op.f("ck_payouts_due_at"), "payouts")
    op.execute(
        "UPDATE payouts SET paid_at = told.at FROM ledger_transactions told "
        "WHERE status = 'paid' AND told.source_id = payouts.id AND told.kind = 'payout_paid'"
    )
    # Those of the last days are looked at once a day from now on; spread, so that not all are asked about at once.
    op.execute(
        "UPDATE payouts SET due_at = now() + random() * interval '1 day' "
        "WHERE status = 'paid' AND paid_at > now() - interval '14 days'"
    )
    op.create_check_constraint(
        op.f("ck_payouts_due_at"), "payouts", "status = 'paid' OR (status = 'pending') = (due_at IS NOT NULL)"
    )
    op.create_check_constraint(op.f("ck_payouts_paid_at"), "payouts", "status <> 'paid' OR paid_at IS NOT NULL")
    op.create_index(
        "ix_payouts_attention_since",
        "payouts",
        ["attention_since"],
        postgresql_where=sa.text("attention_since IS NOT NULL"),
    )


def _allow_kinds(kinds: str) -> None:
    op.drop_constraint(op.f("ck_ledger_transactions_kind"), "ledger_transactions")
    op.create_check_constraint(op.f("ck_ledger_transactions_kind"), "ledger_transactions", f"kind IN ({kinds})")
