"""Double entries, partial refunds, payouts.

What was paid and given back before is written into the ledger, too. Until now a payment was refunded once, and a
cancelled stay in full or not at all: so whatever has no refund is earned, and whatever has one is not.
"""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

OWN_ID = sa.text("uuidv7()")
NOW = sa.text("now()")
INSTANT = sa.DateTime(timezone=True)
ACCOUNTS = "'provider', 'guest', 'host_payable', 'payout', 'platform_fee', 'tax', 'provider_charge'"
KINDS = (
    "'payment_received', 'payment_charged', 'payment_returned', 'earned', 'released', 'refund_paid', "
    "'payout_ordered', 'payout_paid', 'payout_charged', 'payout_failed'"
)


def upgrade() -> None:
    _payments_and_refunds()
    _ledger()
    _triggers()
    _payouts()
    _write_the_past()


def downgrade() -> None:
    for table in ("payout_accounts", "payouts", "ledger_entries", "ledger_transactions"):
        op.drop_table(table)
    op.execute("DROP FUNCTION ledger_sums_to_zero(), ledger_is_never_changed()")
    # A payment with several refunds goes back to one: the first. The others were given, and are forgotten.
    op.execute("DELETE FROM refunds r USING refunds first WHERE first.payment_id = r.payment_id AND first.id < r.id")
    op.drop_index("ix_refunds_due_at", "refunds")
    op.create_index("ix_refunds_due_at", "refunds", ["due_at"], postgresql_where=sa.text("done_at IS NULL"))
    op.drop_index("ix_refunds_payment_id", "refunds")
    op.create_unique_constraint(op.f("uq_refunds_payment_id"), "refunds", ["payment_id"])
    op.drop_column("refunds", "stuck_at")
    op.drop_column("refunds", "failure")
    op.execute("UPDATE payments SET check_at = NULL WHERE status IN ('succeeded', 'refunded')")
    op.drop_constraint(op.f("ck_payments_refunded_amount"), "payments")
    op.drop_constraint(op.f("ck_payments_charged"), "payments")
    for column in ("attention_since", "refunded_amount", "charged_currency", "charged_amount"):
        op.drop_column("payments", column)


def _payments_and_refunds() -> None:
    op.add_column("payments", sa.Column("charged_amount", sa.BigInteger()))
    op.add_column("payments", sa.Column("charged_currency", sa.String(3)))
    op.add_column("payments", sa.Column("refunded_amount", sa.BigInteger(), server_default="0", nullable=False))
    op.add_column("payments", sa.Column("attention_since", INSTANT))
    op.execute(
        "UPDATE payments SET charged_amount = amount, charged_currency = currency "
        "WHERE status = 'succeeded' OR id IN (SELECT payment_id FROM refunds WHERE reason <> 'mismatch')"
    )
    op.execute(
        "UPDATE payments p SET charged_amount = r.amount, charged_currency = r.currency "
        "FROM refunds r WHERE r.payment_id = p.id AND r.reason = 'mismatch'"
    )
    op.execute("UPDATE payments p SET refunded_amount = r.amount FROM refunds r WHERE r.payment_id = p.id")
    op.create_check_constraint(
        op.f("ck_payments_charged"), "payments", "num_nonnulls(charged_amount, charged_currency) IN (0, 2)"
    )
    op.create_check_constraint(
        op.f("ck_payments_refunded_amount"), "payments", "refunded_amount BETWEEN 0 AND coalesce(charged_amount, 0)"
    )
    # A payment that bought a stay is looked at once a day from now on; spread, so that not all are asked about at once.
    op.execute(
        "UPDATE payments SET check_at = now() + random() * interval '1 day' WHERE status = 'succeeded' "
        "AND check_at IS NULL AND booking_id IN (SELECT id FROM bookings WHERE status = 'confirmed')"
    )
    op.create_index(
        "ix_payments_attention_since",
        "payments",
        ["attention_since"],
        postgresql_where=sa.text("attention_since IS NOT NULL"),
    )
    op.add_column("refunds", sa.Column("failure", sa.String()))
    op.add_column("refunds", sa.Column("stuck_at", INSTANT))
    op.drop_constraint(op.f("uq_refunds_payment_id"), "refunds")
    op.create_index("ix_refunds_payment_id", "refunds", ["payment_id"])
    op.drop_index("ix_refunds_due_at", "refunds")
    op.create_index(
        "ix_refunds_due_at", "refunds", ["due_at"], postgresql_where=sa.text("done_at IS NULL AND stuck_at IS NULL")
    )
    op.create_index("ix_refunds_stuck_at", "refunds", ["stuck_at"], postgresql_where=sa.text("stuck_at IS NOT NULL"))


def _ledger() -> None:
    op.create_table(
        "ledger_transactions",
        sa.Column("id", sa.Uuid(), server_default=OWN_ID, nullable=False),
        sa.Column("kind", sa.String(20), nullable=False),
        sa.Column("source_id", sa.Uuid(), nullable=False),
        sa.Column("at", INSTANT, server_default=NOW, nullable=False),
        sa.CheckConstraint(f"kind IN ({KINDS})", name=op.f("ck_ledger_transactions_kind")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_ledger_transactions")),
        sa.UniqueConstraint("kind", "source_id", name=op.f("uq_ledger_transactions_kind_source_id")),
    )
    op.create_table(
        "ledger_entries",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("transaction_id", sa.Uuid(), nullable=False),
        sa.Column("account", sa.String(20), nullable=False),
        sa.Column("host_id", sa.Uuid()),
        sa.Column("booking_id", sa.Uuid()),
        sa.Column("amount", sa.BigInteger(), nullable=False),
        sa.Column("currency", sa.String(3), nullable=False),
        sa.CheckConstraint(f"account IN ({ACCOUNTS})", name=op.f("ck_ledger_entries_account")),
        sa.CheckConstraint("amount <> 0", name=op.f("ck_ledger_entries_amount")),
        sa.CheckConstraint(
            "(account IN ('host_payable', 'payout')) = (host_id IS NOT NULL)", name=op.f("ck_ledger_entries_host_id")
        ),
        sa.ForeignKeyConstraint(
            ["transaction_id"],
            ["ledger_transactions.id"],
            name=op.f("fk_ledger_entries_transaction_id_ledger_transactions"),
        ),
        sa.ForeignKeyConstraint(["booking_id"], ["bookings.id"], name=op.f("fk_ledger_entries_booking_id_bookings")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_ledger_entries")),
    )
    op.create_index("ix_ledger_entries_transaction_id", "ledger_entries", ["transaction_id"])
    op.create_index("ix_ledger_entries_booking_id", "ledger_entries", ["booking_id"])
    op.create_index(
        "ix_ledger_entries_host_id",
        "ledger_entries",
        ["host_id", "id"],
        postgresql_where=sa.text("host_id IS NOT NULL"),
    )


def _triggers() -> None:
    """A check sees one row, and a trigger at once sees half a transaction: only a deferred one sees the sum."""
    op.execute(
        """
        CREATE FUNCTION ledger_sums_to_zero() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN
            IF EXISTS (
                SELECT FROM ledger_entries WHERE transaction_id = NEW.transaction_id
                GROUP BY currency HAVING sum(amount) <> 0
            ) THEN
                RAISE EXCEPTION 'ledger transaction % does not sum to zero', NEW.transaction_id
                    USING ERRCODE = 'check_violation', CONSTRAINT = 'ledger_entries_sum_to_zero';
            END IF;
            RETURN NULL;
        END $$
        """
    )
    op.execute(
        "CREATE CONSTRAINT TRIGGER ledger_entries_sum_to_zero AFTER INSERT ON ledger_entries "
        "DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION ledger_sums_to_zero()"
    )
    op.execute(
        """
        CREATE FUNCTION ledger_is_never_changed() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN
            RAISE EXCEPTION 'what is written in % is never changed', TG_TABLE_NAME
                USING ERRCODE = 'restrict_violation', CONSTRAINT = TG_NAME;
        END $$
        """
    )
    for table in ("ledger_transactions", "ledger_entries"):
        op.execute(
            f"CREATE TRIGGER {table}_are_never_changed BEFORE UPDATE OR DELETE ON {table} "
            "FOR EACH ROW EXECUTE FUNCTION ledger_is_never_changed()"
        )


def _payouts() -> None:
    op.create_table(
        "payout_accounts",
        sa.Column("host_id", sa.Uuid(), nullable=False),
        sa.Column("account_name", sa.String(), nullable=False),
        sa.Column("account_number", sa.String(), nullable=False),
        sa.Column("bank_code", sa.Integer(), nullable=False),
        sa.Column("updated_at", INSTANT, server_default=NOW, nullable=False),
        sa.PrimaryKeyConstraint("host_id", name=op.f("pk_payout_accounts")),
    )
    op.create_table(
        "payouts",
        sa.Column("id", sa.Uuid(), server_default=OWN_ID, nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("host_id", sa.Uuid(), nullable=False),
        sa.Column("ordered_by", sa.Uuid(), nullable=False),
        sa.Column("reference", sa.String(50), nullable=False),
        sa.Column("amount", sa.BigInteger(), nullable=False),
        sa.Column("currency", sa.String(3), nullable=False),
        sa.Column("status", sa.String(20), nullable=False),
        sa.Column("failure", sa.String()),
        sa.Column("sent_at", INSTANT),
        sa.Column("due_at", INSTANT, server_default=NOW),
        sa.Column("tries", sa.Integer(), nullable=False),
        sa.Column("created_at", INSTANT, server_default=NOW, nullable=False),
        sa.CheckConstraint("amount > 0", name=op.f("ck_payouts_amount")),
        sa.CheckConstraint("status IN ('pending', 'paid', 'failed')", name=op.f("ck_payouts_status")),
        sa.CheckConstraint("(status = 'pending') = (due_at IS NOT NULL)", name=op.f("ck_payouts_due_at")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_payouts")),
        sa.UniqueConstraint("reference", name=op.f("uq_payouts_reference")),
    )
    op.create_index("ix_payouts_host_id", "payouts", ["host_id", "id"])
    op.create_index("ix_payouts_due_at", "payouts", ["due_at"], postgresql_where=sa.text("due_at IS NOT NULL"))


def _write_the_past() -> None:
    """Dated by when it was begun: when exactly it happened was not kept."""
    op.execute(
        "INSERT INTO ledger_transactions (kind, source_id, at) "
        "SELECT 'payment_received', id, created_at FROM payments WHERE charged_amount > 0 "
        "UNION ALL SELECT 'earned', id, created_at FROM payments WHERE status = 'succeeded' AND refunded_amount = 0 "
        "AND charged_amount > 0 UNION ALL SELECT 'refund_paid', id, done_at FROM refunds WHERE done_at IS NOT NULL "
        "ORDER BY 3"
    )
    op.execute(
        """
        INSERT INTO ledger_entries (transaction_id, account, host_id, booking_id, amount, currency)
        SELECT t.id, e.account, CASE e.account WHEN 'host_payable' THEN b.host_id END, b.id, e.amount, e.currency
        FROM ledger_transactions t
        LEFT JOIN refunds r ON r.id = t.source_id
        JOIN payments p ON p.id = coalesce(r.payment_id, t.source_id)
        JOIN bookings b ON b.id = p.booking_id
        CROSS JOIN LATERAL (VALUES
            ('payment_received', 'provider', p.charged_amount, p.charged_currency),
            ('payment_received', 'guest', -p.charged_amount, p.charged_currency),
            ('earned', 'guest', p.amount, p.currency),
            ('earned', 'host_payable', -(b.price -> 'host_payout' ->> 'amount')::bigint, p.currency),
            ('earned', 'tax', -(b.price -> 'tax' ->> 'amount')::bigint, p.currency),
            ('earned', 'platform_fee', (b.price -> 'host_payout' ->> 'amount')::bigint
                + (b.price -> 'tax' ->> 'amount')::bigint - p.amount, p.currency),
            ('refund_paid', 'guest', r.amount, r.currency),
            ('refund_paid', 'provider', -r.amount, r.currency)
        ) AS e (kind, account, amount, currency)
        WHERE e.kind = t.kind AND e.amount <> 0
        ORDER BY t.at, t.id, e.account
        """
    )
