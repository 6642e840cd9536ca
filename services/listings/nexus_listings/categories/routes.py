"""The address of the category tree."""

from fastapi import APIRouter, Response
from nexus_kit.db import UnitOfWork

from nexus_listings.categories import service
from nexus_listings.categories.schemas import CategoryTree
from nexus_listings.publicly import PublicDep

router = APIRouter(prefix="/categories", tags=["categories"])


@router.get("", summary="The kinds of places", response_model=CategoryTree)
async def tree(public: PublicDep, work: UnitOfWork) -> Response | None:
    """As a tree, each with the number of published listings in it and below."""

    async def compute() -> CategoryTree:
        async with work() as session:
            return await service.tree(session)

    return await public.answer("categories", "tree", compute)
