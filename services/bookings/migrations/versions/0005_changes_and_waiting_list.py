"""Changes of a booking, its timeline, and the waiting list.

The timeline of what was booked before is written as far as it is known: exactly for as long as the outbox keeps events,
and how it began and where it stands for anything older, without an instant where none was kept.
"""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

OWN_ID = sa.text("uuidv7()")
NOW = sa.text("now()")
INSTANT = sa.DateTime(timezone=True)
BOOKING = "'requested', 'pending_payment', 'confirmed', 'completed', 'declined', 'expired', 'cancelled'"
CHANGE = "'requested', 'pending_payment', 'applied', 'declined', 'expired', 'cancelled'"
OPEN = "status IN ('requested', 'pending_payment')"
REASONS = ("'cancelled', 'nights_gone', 'mismatch'", "'cancelled', 'changed', 'nights_gone', 'mismatch'")
FORMER_KINDS = (
    "'payment_received', 'payment_charged', 'payment_returned', 'earned', 'released', 'refund_paid', "
    "'payout_ordered', 'payout_paid', 'payout_charged', 'payout_failed'"
)
KINDS = (FORMER_KINDS, FORMER_KINDS.replace("'released'", "'changed', 'released'"))


def upgrade() -> None:
    """Add and backfill."""
    _timeline()
    _write_the_past()
    _changes()
    _waiting_list()
    _allow("refunds", "reason", REASONS[1])
    _allow("ledger_transactions", "kind", KINDS[1])


def downgrade() -> None:
    """Changes that were made stay made; that they were changes is forgotten, and an open one never was."""
    op.execute(
        "DELETE FROM nights USING bookings WHERE nights.booking_id = bookings.id "
        "AND NOT (nights.night >= bookings.check_in AND nights.night < bookings.check_out)"
    )
    op.execute("UPDATE refunds SET reason = 'cancelled' WHERE reason = 'changed'")
    op.execute("ALTER TABLE ledger_transactions DISABLE TRIGGER ledger_transactions_are_never_changed")
    op.execute("UPDATE ledger_transactions SET kind = 'earned' WHERE kind = 'changed'")
    op.execute("ALTER TABLE ledger_transactions ENABLE TRIGGER ledger_transactions_are_never_changed")
    _allow("refunds", "reason", REASONS[0])
    _allow("ledger_transactions", "kind", KINDS[0])
    op.drop_table("waiting_entries")
    op.drop_column("payments", "change_id")
    op.drop_table("booking_changes")
    op.drop_constraint(op.f("ck_quotes_difference"), "quotes")
    op.drop_column("quotes", "difference_amount")
    op.drop_column("quotes", "booking_id")
    op.drop_table("booking_moves")


def _allow(table: str, column: str, values: str) -> None:
    op.drop_constraint(op.f(f"ck_{table}_{column}"), table)
    op.create_check_constraint(op.f(f"ck_{table}_{column}"), table, f"{column} IN ({values})")


def _timeline() -> None:
    op.create_table(
        "booking_moves",
        sa.Column("booking_id", sa.Uuid(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("what", sa.String(), nullable=False),
        sa.Column("status", sa.String(20), nullable=False),
        sa.Column("by", sa.String(20), nullable=False),
        sa.Column("why", sa.String()),
        sa.Column("at", INSTANT, server_default=NOW),
        sa.CheckConstraint(f"status IN ({BOOKING})", name=op.f("ck_booking_moves_status")),
        sa.CheckConstraint("by IN ('guest', 'host', 'system')", name=op.f("ck_booking_moves_by")),
        sa.ForeignKeyConstraint(["booking_id"], ["bookings.id"], name=op.f("fk_booking_moves_booking_id_bookings")),
        sa.PrimaryKeyConstraint("booking_id", "version", name=op.f("pk_booking_moves")),
    )


def _write_the_past() -> None:
    op.execute(
        """
        INSERT INTO booking_moves (booking_id, version, what, status, by, at)
        SELECT told.subject, told.sequence, told.what,
               CASE WHEN told.what IN ('held', 'accepted') THEN 'pending_payment' ELSE told.what END,
               CASE WHEN told.what IN ('requested', 'held') THEN 'guest'
                    WHEN told.what IN ('accepted', 'declined') THEN 'host'
                    WHEN told.what = 'cancelled' THEN told.data ->> 'cancelled_by'
                    ELSE 'system' END,
               told.time
          FROM (SELECT subject, sequence, time, data, split_part(type, '.', 4) AS what FROM outbox
                 WHERE type LIKE 'nexus.bookings.booking.%') AS told
          JOIN bookings ON bookings.id = told.subject
        ON CONFLICT DO NOTHING
        """
    )
    # How it began: by the state that it is in, and by how many moves it took.
    op.execute(
        """
        INSERT INTO booking_moves (booking_id, version, what, status, by, at)
        SELECT id, 1,
               CASE WHEN asked THEN 'requested' ELSE 'held' END,
               CASE WHEN asked THEN 'requested' ELSE 'pending_payment' END, 'guest', created_at
          FROM (SELECT *, status IN ('requested', 'declined')
                       OR (status = 'pending_payment' AND version > 1)
                       OR (status = 'confirmed' AND version > 2)
                       OR (status = 'completed' AND version > 3) AS asked
                  FROM bookings WHERE status NOT IN ('expired', 'cancelled')) AS known
        ON CONFLICT DO NOTHING
        """
    )
    op.execute(
        """
        INSERT INTO booking_moves (booking_id, version, what, status, by, at)
        SELECT id, version, CASE status WHEN 'pending_payment' THEN 'accepted' ELSE status END, status,
               CASE WHEN status IN ('pending_payment', 'declined') THEN 'host'
                    WHEN status = 'cancelled' THEN cancelled_by ELSE 'system' END,
               CASE status WHEN 'completed' THEN ends_at END
          FROM bookings WHERE version > 1
        ON CONFLICT DO NOTHING
        """
    )


def _changes() -> None:
    op.add_column("quotes", sa.Column("booking_id", sa.Uuid()))
    op.add_column("quotes", sa.Column("difference_amount", sa.BigInteger()))
    op.create_foreign_key(op.f("fk_quotes_booking_id_bookings"), "quotes", "bookings", ["booking_id"], ["id"])
    op.create_check_constraint(
        op.f("ck_quotes_difference"), "quotes", "num_nonnulls(booking_id, difference_amount) IN (0, 2)"
    )
    op.create_table(
        "booking_changes",
        sa.Column("id", sa.Uuid(), server_default=OWN_ID, nullable=False),
        sa.Column("booking_id", sa.Uuid(), nullable=False),
        sa.Column("quote_id", sa.Uuid(), nullable=False),
        sa.Column("status", sa.String(20), nullable=False),
        sa.Column("expires_at", INSTANT),
        sa.Column("created_at", INSTANT, server_default=NOW, nullable=False),
        sa.CheckConstraint(f"status IN ({CHANGE})", name=op.f("ck_booking_changes_status")),
        sa.CheckConstraint(f"({OPEN}) = (expires_at IS NOT NULL)", name=op.f("ck_booking_changes_expires_at")),
        sa.ForeignKeyConstraint(["booking_id"], ["bookings.id"], name=op.f("fk_booking_changes_booking_id_bookings")),
        sa.ForeignKeyConstraint(["quote_id"], ["quotes.id"], name=op.f("fk_booking_changes_quote_id_quotes")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_booking_changes")),
        sa.UniqueConstraint("quote_id", name=op.f("uq_booking_changes_quote_id")),
    )
    op.create_index("ix_booking_changes_booking_id", "booking_changes", ["booking_id"])
    op.create_index(
        "ix_booking_changes_open", "booking_changes", ["booking_id"], unique=True, postgresql_where=sa.text(OPEN)
    )
    op.create_index(
        "ix_booking_changes_expires_at",
        "booking_changes",
        ["expires_at"],
        postgresql_where=sa.text("expires_at IS NOT NULL"),
    )
    op.add_column("payments", sa.Column("change_id", sa.Uuid()))
    op.create_foreign_key(
        op.f("fk_payments_change_id_booking_changes"), "payments", "booking_changes", ["change_id"], ["id"]
    )


def _waiting_list() -> None:
    op.create_table(
        "waiting_entries",
        sa.Column("id", sa.Uuid(), server_default=OWN_ID, nullable=False),
        sa.Column("guest_id", sa.Uuid(), nullable=False),
        sa.Column("listing_id", sa.Uuid(), nullable=False),
        sa.Column("listing_title", sa.String(), nullable=False),
        sa.Column("check_in", sa.Date(), nullable=False),
        sa.Column("check_out", sa.Date(), nullable=False),
        sa.Column("guests", sa.Integer(), nullable=False),
        sa.Column("status", sa.String(20), nullable=False),
        sa.Column("due", sa.Boolean(), nullable=False),
        sa.Column("booking_id", sa.Uuid()),
        sa.Column("created_at", INSTANT, server_default=NOW, nullable=False),
        sa.CheckConstraint("status IN ('waiting', 'offered', 'ended')", name=op.f("ck_waiting_entries_status")),
        sa.CheckConstraint("check_out > check_in", name=op.f("ck_waiting_entries_dates")),
        sa.CheckConstraint("(status = 'offered') = (booking_id IS NOT NULL)", name=op.f("ck_waiting_entries_offered")),
        sa.CheckConstraint("status = 'waiting' OR NOT due", name=op.f("ck_waiting_entries_due")),
        sa.ForeignKeyConstraint(["booking_id"], ["bookings.id"], name=op.f("fk_waiting_entries_booking_id_bookings")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_waiting_entries")),
    )
    op.create_index("ix_waiting_entries_guest_id", "waiting_entries", ["guest_id", "id"])
    for name, which in (("waiting", "status = 'waiting'"), ("due", "due")):
        columns = ["listing_id", "id"]
        op.create_index(f"ix_waiting_entries_{name}", "waiting_entries", columns, postgresql_where=sa.text(which))
