"""Words are learnt once, however many new listings have them; erased hosts are known until their last listing went."""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

LEARN = """
CREATE OR REPLACE FUNCTION learn_words(texts tsvector[]) RETURNS void LANGUAGE sql AS $$
    INSERT INTO lexemes (word, misspellings)
    SELECT word, misspellings(word) FROM (
        {distinct}
    ) AS found
    WHERE {proper}NOT EXISTS (SELECT FROM lexemes WHERE lexemes.word = found.word)
$$
"""
ALL = "SELECT DISTINCT word FROM unnest(texts) AS text, unnest(tsvector_to_array(text)) AS word"
PROPER = "length(word) BETWEEN 3 AND 24 AND word ~ '^[[:alpha:]]+$'"


def upgrade() -> None:
    """Words: first make them distinct, then look at them (without OFFSET 0 PostgreSQL would look at all of them).

    Hosts: so far their listings were archived in the transaction that erased them.
    """
    op.execute(LEARN.format(distinct=f"{ALL} OFFSET 0", proper=f"{PROPER} AND "))
    op.add_column("erased_hosts", sa.Column("emptied_at", sa.DateTime(timezone=True)))
    op.execute("UPDATE erased_hosts SET emptied_at = erased_at")
    op.create_index(
        "ix_erased_hosts_not_emptied", "erased_hosts", ["host_id"], postgresql_where=sa.text("emptied_at IS NULL")
    )


def downgrade() -> None:
    """As it was. Listings that a host has left and that are not archived yet stay so."""
    op.drop_column("erased_hosts", "emptied_at")
    op.execute(LEARN.format(distinct=f"{ALL} WHERE {PROPER}", proper=""))
