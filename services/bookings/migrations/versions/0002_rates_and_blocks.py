"""Prices by date, custom policies, and nights that a host closes.

Documents of quotes and bookings are completed in place: what was quoted before had no tax, no discount and no share of
the host's. The service is stopped meanwhile: it would not read what the former one writes after this.
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

# Lines that are there already win: a downgrade leaves them, and they hold what was promised.
COMPLETE_QUOTES = """
    UPDATE quotes
       SET price = jsonb_build_object(
               'length_discount', none, 'extra_guests', none, 'tax', none, 'host_fee', none,
               'host_payout', jsonb_build_object(
                   'currency', price #> '{total,currency}',
                   'amount', (price #>> '{total,amount}')::bigint - (price #>> '{service_fee,amount}')::bigint
               )
           ) || price
      FROM (
        SELECT id AS quote_id, jsonb_build_object('amount', 0, 'currency', price #> '{total,currency}') AS none
          FROM quotes
      ) AS blank
     WHERE quotes.id = blank.quote_id AND NOT price ? 'host_payout'
"""


def upgrade() -> None:
    """Add and backfill."""
    op.execute(COMPLETE_QUOTES)
    for table in ("quotes", "bookings"):
        for column, hour in (("check_in_time", "15:00"), ("check_out_time", "11:00")):
            op.add_column(table, sa.Column(column, sa.Time(), server_default=hour, nullable=False))
            op.alter_column(table, column, server_default=None)
    op.add_column("bookings", sa.Column("price", JSONB()))
    op.execute("UPDATE bookings SET price = quotes.price FROM quotes WHERE quotes.id = bookings.quote_id")
    op.alter_column("bookings", "price", nullable=False)
    op.alter_column("nights", "booking_id", nullable=True)
    op.add_column("nights", sa.Column("closed_by", sa.String(20)))
    op.create_check_constraint(
        op.f("ck_nights_closed_by"), "nights", "closed_by IN ('host', 'calendar', 'cancellation')"
    )
    op.create_check_constraint(op.f("ck_nights_claim"), "nights", "num_nonnulls(booking_id, closed_by) = 1")
    op.create_index("ix_nights_closed", "nights", ["night"], postgresql_where=sa.text("closed_by IS NOT NULL"))


def downgrade() -> None:
    """What was closed is open again; prices keep their lines, which the former service does not read."""
    op.execute("DELETE FROM nights WHERE booking_id IS NULL")
    op.drop_column("nights", "closed_by")
    op.alter_column("nights", "booking_id", nullable=False)
    op.drop_column("bookings", "price")
    for table in ("quotes", "bookings"):
        for column in ("check_in_time", "check_out_time"):
            op.drop_column(table, column)
