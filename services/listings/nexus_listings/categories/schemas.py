"""The wire shape of the category tree."""

from typing import Annotated

from nexus_kit.schemas import Resource
from pydantic import Field

CategorySlug = Annotated[
    str,
    Field(
        max_length=50,
        pattern=r"^[a-z0-9]+(-[a-z0-9]+)*$",
        description="Slug of a category, as in GET /categories.",
        examples=["apartment"],
    ),
]


class CategoryNode(Resource):
    """One kind of place with the narrower kinds below it."""

    slug: CategorySlug
    name: str = Field(examples=["Apartment"])
    count: int = Field(description="Published listings of this kind and of all below it.", examples=[128])
    children: list["CategoryNode"] = Field(default_factory=list)


class CategoryTree(Resource):
    """All kinds of places, in the order in which to show them."""

    items: list[CategoryNode]
