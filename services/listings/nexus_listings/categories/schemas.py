"""The wire shapes of categories: the tree for everybody, and what admins send."""

from typing import Annotated, Any

from nexus_kit.schemas import Body, Resource
from pydantic import ConfigDict, Field, field_validator

SLUG = r"^[a-z0-9]+(-[a-z0-9]+)*$"

CategorySlug = Annotated[
    str,
    Field(
        max_length=50,
        pattern=SLUG,
        description="Slug of a category, as in GET /categories.",
        examples=["apartment"],
    ),
]

Name = Annotated[
    str, Field(min_length=1, max_length=80, description="English, singular.", examples=["Serviced apartment"])
]
Parent = Annotated[CategorySlug | None, Field(description="The wider kind; null: none, it stands at the top.")]
Position = Annotated[int, Field(strict=True, ge=0, le=10_000, description="Order among its siblings.", examples=[3])]


class CategoryNode(Resource):
    """One kind of place with the narrower kinds below it."""

    slug: CategorySlug
    name: str = Field(examples=["Apartment"])
    count: int = Field(description="Published listings of this kind and of all below it.", examples=[128])
    children: list["CategoryNode"] = Field(default_factory=list)


class CategoryTree(Resource):
    """All kinds of places, in the order in which to show them."""

    items: list[CategoryNode]


class CategoryOut(Resource):
    """One kind of place, by itself."""

    slug: CategorySlug
    version: int = Field(exclude=True)
    """Clients know it as the ETag."""
    parent: Parent
    name: Name
    position: Position


class CategoryChanges(Body):
    """What an admin changes. A field left out stays as it is; the slug never changes."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"name": "Serviced flat", "position": 1}]})

    name: Name | None = None
    parent: Parent = None
    position: Position | None = None

    @field_validator("name", "position", mode="before")
    @classmethod
    def never_empty(cls, value: Any) -> Any:
        """Only the parent can be none."""
        if value is None:
            raise ValueError("cannot be null")
        return value


class NewCategory(CategoryChanges):
    """A new kind of place. Without a position it comes last among its siblings."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"slug": "tiny-house", "name": "Tiny house", "parent": "house"}]}
    )

    slug: CategorySlug
    name: Name
