"""The words that published listings have: what a mistyped word is compared with.

Triggers of the `listings` table add to it; `service.py` reads and prunes it.
"""

from nexus_kit.db import BigInt
from sqlalchemy import Identity, Index, Text
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.orm import Mapped, mapped_column

from nexus_listings.db import Base


class Lexeme(Base):
    """A word as full-text search knows it. Two writers at once may both add it: nothing is unique but the id."""

    __tablename__ = "lexemes"

    id: Mapped[BigInt] = mapped_column(Identity(always=True), primary_key=True)
    word: Mapped[str] = mapped_column(Text, index=True)
    misspellings: Mapped[list[str]] = mapped_column(ARRAY(Text))
    """The word, and what is left of it when a letter is left out; of long words two letters."""


Index(
    "ix_lexemes_misspellings",
    Lexeme.misspellings,
    postgresql_using="gin",
    postgresql_with={"fastupdate": "off"},
)
