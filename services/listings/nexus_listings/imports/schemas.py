"""The wire shapes of an import: rows as a host has them elsewhere, and what became of each."""

from enum import StrEnum
from uuid import UUID

from nexus_kit.errors import FieldError
from nexus_kit.schemas import Body, Resource
from pydantic import ConfigDict, Field, SkipValidation

from nexus_listings.listings.schemas import EXAMPLE, ExternalId, ListingDraft

MOST_ROWS = 1000
"""Of one request; its body may have 1 MiB, as any other."""


class ImportRow(ListingDraft):
    """A listing, and the name by which a later import finds it again."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [EXAMPLE | {"external_id": "lake-house-1", "publish": True}]}
    )

    external_id: ExternalId
    publish: bool = Field(
        True,
        strict=True,
        description="Show it to guests, unless it ever was: what its host has hidden stays hidden.",
        examples=[True],
    )

    def draft(self) -> ListingDraft:
        """Without what only an import knows."""
        sent = self.model_fields_set - {"publish"}
        return ListingDraft.model_construct(sent, **{name: getattr(self, name) for name in sent})


class ImportChunk(Body):
    """Some rows of an import. Each is judged by itself: one that is refused keeps no other out."""

    # A row is validated when its turn comes, so that one bad row is not a bad request; the schema is for the reader.
    rows: list[SkipValidation[ImportRow]] = Field(min_length=1, max_length=MOST_ROWS)


class Outcome(StrEnum):
    """What became of a row."""

    CREATED = "created"
    UPDATED = "updated"
    UNCHANGED = "unchanged"
    REFUSED = "refused"


class RowReport(Resource):
    """What became of one row."""

    row: int = Field(description="Its place among the rows sent; the first is 1.", examples=[1])
    external_id: str | None = Field(description="Null if the row has none that can be read.", examples=["lake-house-1"])
    outcome: Outcome
    listing_id: UUID | None = Field(description="Null for a refused row.")
    errors: list[FieldError] = Field(description="Why it was refused: pointers into the row.", examples=[[]])


class ImportReport(Resource):
    """What became of the rows."""

    created: int = Field(examples=[1])
    updated: int = Field(examples=[0])
    unchanged: int = Field(examples=[0])
    refused: int = Field(examples=[0])
    rows: list[RowReport] = Field(description="In the order in which they were sent.")
