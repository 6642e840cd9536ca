"""The address of the category tree."""

from fastapi import APIRouter
from nexus_kit.db import SessionDep

from nexus_listings.categories import service
from nexus_listings.categories.schemas import CategoryTree
from nexus_listings.publicly import public

router = APIRouter(prefix="/categories", tags=["categories"], route_class=public("categories"))


@router.get("", summary="The kinds of places")
async def tree(session: SessionDep) -> CategoryTree:
    """As a tree, each with the number of published listings in it and below."""
    return await service.tree(session)
