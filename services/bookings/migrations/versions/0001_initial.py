"""quotes, bookings, nights, payments

Revision ID: 0001
Revises:
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

OWN_ID = sa.text("uuidv7()")
NOW = sa.text("now()")


def upgrade() -> None:
    _kit_tables()
    _listing_copies()
    _quotes()
    _bookings()
    _nights()
    _payments()


def downgrade() -> None:
    for table in (
        "webhook_receipts",
        "refunds",
        "payments",
        "nights_versions",
        "nights",
        "bookings",
        "quotes",
        "listing_copies",
        "idempotency_keys",
        "inbox",
        "outbox",
    ):
        op.drop_table(table)


def _kit_tables() -> None:
    op.create_table(
        "outbox",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("event_id", sa.Uuid(), server_default=OWN_ID, nullable=False),
        sa.Column("type", sa.Text(), nullable=False),
        sa.Column("subject", sa.Uuid(), nullable=False),
        sa.Column("sequence", sa.Integer(), nullable=False),
        sa.Column("time", sa.DateTime(timezone=True), server_default=NOW, nullable=False),
        sa.Column("data", JSONB(), nullable=False),
        sa.Column("traceparent", sa.Text()),
        sa.Column("request_id", sa.Text()),
        sa.Column("published_at", sa.DateTime(timezone=True)),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_outbox")),
    )
    op.create_index("ix_outbox_unpublished", "outbox", ["id"], postgresql_where=sa.text("published_at IS NULL"))
    op.create_index(
        "ix_outbox_published_at", "outbox", ["published_at"], postgresql_where=sa.text("published_at IS NOT NULL")
    )
    op.create_table(
        "inbox",
        sa.Column("consumer", sa.Text(), nullable=False),
        sa.Column("event_id", sa.Uuid(), nullable=False),
        sa.Column("received_at", sa.DateTime(timezone=True), server_default=NOW, nullable=False),
        sa.PrimaryKeyConstraint("consumer", "event_id", name=op.f("pk_inbox")),
    )
    op.create_index("ix_inbox_received_at", "inbox", ["received_at"])
    op.create_table(
        "idempotency_keys",
        sa.Column("caller", sa.Uuid(), nullable=False),
        sa.Column("operation", sa.Text(), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("request_hash", sa.LargeBinary(), nullable=False),
        sa.Column("status", sa.SmallInteger()),
        sa.Column("headers", JSONB()),
        sa.Column("body", sa.Text()),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=NOW, nullable=False),
        sa.PrimaryKeyConstraint("caller", "operation", "key", name=op.f("pk_idempotency_keys")),
    )
    op.create_index("ix_idempotency_keys_created_at", "idempotency_keys", ["created_at"])


def _listing_copies() -> None:
    op.create_table(
        "listing_copies",
        sa.Column("listing_id", sa.Uuid(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("snapshot", JSONB(), nullable=False),
        sa.PrimaryKeyConstraint("listing_id", name=op.f("pk_listing_copies")),
    )


def _quotes() -> None:
    op.create_table(
        "quotes",
        sa.Column("id", sa.Uuid(), server_default=OWN_ID, nullable=False),
        sa.Column("guest_id", sa.Uuid(), nullable=False),
        sa.Column("listing_id", sa.Uuid(), nullable=False),
        sa.Column("check_in", sa.Date(), nullable=False),
        sa.Column("check_out", sa.Date(), nullable=False),
        sa.Column("timezone", sa.String(), nullable=False),
        sa.Column("guests", sa.Integer(), nullable=False),
        sa.Column("price", JSONB(), nullable=False),
        sa.Column("cancellation", JSONB(), nullable=False),
        sa.Column(
            "valid_until",
            sa.DateTime(timezone=True),
            server_default=sa.text("now() + interval '30 minutes'"),
            nullable=False,
        ),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=NOW, nullable=False),
        sa.CheckConstraint("check_out > check_in", name=op.f("ck_quotes_dates")),
        sa.CheckConstraint("guests >= 1", name=op.f("ck_quotes_guests")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_quotes")),
    )


def _bookings() -> None:
    op.create_table(
        "bookings",
        sa.Column("id", sa.Uuid(), server_default=OWN_ID, nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("status", sa.String(20), nullable=False),
        sa.Column("quote_id", sa.Uuid(), nullable=False),
        sa.Column("listing_id", sa.Uuid(), nullable=False),
        sa.Column("listing_title", sa.String(), nullable=False),
        sa.Column("host_id", sa.Uuid(), nullable=False),
        sa.Column("guest_id", sa.Uuid(), nullable=False),
        sa.Column("check_in", sa.Date(), nullable=False),
        sa.Column("check_out", sa.Date(), nullable=False),
        sa.Column("timezone", sa.String(), nullable=False),
        sa.Column("ends_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("guests", sa.Integer(), nullable=False),
        sa.Column("total_amount", sa.BigInteger(), nullable=False),
        sa.Column("currency", sa.String(3), nullable=False),
        sa.Column("cancellation", JSONB(), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True)),
        sa.Column("cancelled_by", sa.String(20)),
        sa.Column("refund_amount", sa.BigInteger()),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=NOW, nullable=False),
        sa.CheckConstraint(
            "status IN ('requested', 'pending_payment', 'confirmed', 'completed', 'declined', 'expired', 'cancelled')",
            name=op.f("ck_bookings_status"),
        ),
        sa.CheckConstraint("cancelled_by IN ('guest', 'host', 'system')", name=op.f("ck_bookings_cancelled_by")),
        sa.CheckConstraint(
            "(status IN ('requested', 'pending_payment')) = (expires_at IS NOT NULL)",
            name=op.f("ck_bookings_expires_at"),
        ),
        sa.CheckConstraint(
            "num_nonnulls(cancelled_by, refund_amount) = CASE status WHEN 'cancelled' THEN 2 ELSE 0 END",
            name=op.f("ck_bookings_cancelled"),
        ),
        sa.CheckConstraint("check_out > check_in", name=op.f("ck_bookings_dates")),
        sa.CheckConstraint("guest_id <> host_id", name=op.f("ck_bookings_parties")),
        sa.CheckConstraint(
            "total_amount >= 0 AND refund_amount BETWEEN 0 AND total_amount", name=op.f("ck_bookings_amounts")
        ),
        sa.ForeignKeyConstraint(["quote_id"], ["quotes.id"], name=op.f("fk_bookings_quote_id_quotes")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_bookings")),
        sa.UniqueConstraint("quote_id", name=op.f("uq_bookings_quote_id")),
    )
    op.create_index("ix_bookings_guest_id", "bookings", ["guest_id", "id"])
    op.create_index("ix_bookings_host_id", "bookings", ["host_id", "id"])
    op.create_index(
        "ix_bookings_expires_at", "bookings", ["expires_at"], postgresql_where=sa.text("expires_at IS NOT NULL")
    )
    op.create_index("ix_bookings_ends_at", "bookings", ["ends_at"], postgresql_where=sa.text("status = 'confirmed'"))


def _nights() -> None:
    op.create_table(
        "nights",
        sa.Column("listing_id", sa.Uuid(), nullable=False),
        sa.Column("night", sa.Date(), nullable=False),
        sa.Column("unit", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("booking_id", sa.Uuid(), nullable=False),
        sa.CheckConstraint("unit >= 1", name=op.f("ck_nights_unit")),
        sa.ForeignKeyConstraint(["booking_id"], ["bookings.id"], name=op.f("fk_nights_booking_id_bookings")),
        sa.PrimaryKeyConstraint("listing_id", "night", "unit", name=op.f("pk_nights")),
    )
    op.create_index("ix_nights_booking_id", "nights", ["booking_id"])
    op.create_table(
        "nights_versions",
        sa.Column("listing_id", sa.Uuid(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("listing_id", name=op.f("pk_nights_versions")),
    )


def _payments() -> None:
    op.create_table(
        "payments",
        sa.Column("id", sa.Uuid(), server_default=OWN_ID, nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("booking_id", sa.Uuid(), nullable=False),
        sa.Column("guest_id", sa.Uuid(), nullable=False),
        sa.Column("tx_ref", sa.String(50), nullable=False),
        sa.Column("amount", sa.BigInteger(), nullable=False),
        sa.Column("currency", sa.String(3), nullable=False),
        sa.Column("status", sa.String(20), nullable=False),
        sa.Column("checkout_url", sa.String()),
        sa.Column("provider_reference", sa.String()),
        sa.Column("failure", sa.String()),
        sa.Column("check_at", sa.DateTime(timezone=True)),
        sa.Column("checks", sa.Integer(), nullable=False),
        sa.Column("give_up_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=NOW, nullable=False),
        sa.CheckConstraint("amount >= 0", name=op.f("ck_payments_amount")),
        sa.CheckConstraint("status IN ('pending', 'failed', 'succeeded', 'refunded')", name=op.f("ck_payments_status")),
        sa.ForeignKeyConstraint(["booking_id"], ["bookings.id"], name=op.f("fk_payments_booking_id_bookings")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_payments")),
        sa.UniqueConstraint("tx_ref", name=op.f("uq_payments_tx_ref")),
    )
    op.create_index("ix_payments_booking_id", "payments", ["booking_id"])
    op.create_index("ix_payments_check_at", "payments", ["check_at"], postgresql_where=sa.text("check_at IS NOT NULL"))
    op.create_table(
        "refunds",
        sa.Column("id", sa.Uuid(), server_default=OWN_ID, nullable=False),
        sa.Column("payment_id", sa.Uuid(), nullable=False),
        sa.Column("reference", sa.String(60), nullable=False),
        sa.Column("amount", sa.BigInteger(), nullable=False),
        sa.Column("currency", sa.String(3), nullable=False),
        sa.Column("reason", sa.String(20), nullable=False),
        sa.Column("due_at", sa.DateTime(timezone=True), server_default=NOW, nullable=False),
        sa.Column("tries", sa.Integer(), nullable=False),
        sa.Column("done_at", sa.DateTime(timezone=True)),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=NOW, nullable=False),
        sa.CheckConstraint("amount > 0", name=op.f("ck_refunds_amount")),
        sa.CheckConstraint("reason IN ('cancelled', 'nights_gone', 'mismatch')", name=op.f("ck_refunds_reason")),
        sa.ForeignKeyConstraint(["payment_id"], ["payments.id"], name=op.f("fk_refunds_payment_id_payments")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_refunds")),
        sa.UniqueConstraint("payment_id", name=op.f("uq_refunds_payment_id")),
        sa.UniqueConstraint("reference", name=op.f("uq_refunds_reference")),
    )
    op.create_index("ix_refunds_due_at", "refunds", ["due_at"], postgresql_where=sa.text("done_at IS NULL"))
    op.create_table(
        "webhook_receipts",
        sa.Column("digest", sa.LargeBinary(), nullable=False),
        sa.Column("received_at", sa.DateTime(timezone=True), server_default=NOW, nullable=False),
        sa.PrimaryKeyConstraint("digest", name=op.f("pk_webhook_receipts")),
    )
