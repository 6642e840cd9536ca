"""Reads the category tree. `routes.py` calls it behind the cache."""

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from nexus_listings.categories.models import Category
from nexus_listings.categories.schemas import CategoryNode, CategoryTree
from nexus_listings.listings.models import IS_PUBLISHED, Listing


async def tree(session: AsyncSession) -> CategoryTree:
    """Every category with the number of published listings in its subtree: one query for all."""
    here = (
        select(Listing.category, func.count().label("listings"))
        .where(IS_PUBLISHED)
        .group_by(Listing.category)
        .subquery()
    )
    rows = await session.execute(
        select(Category.slug, Category.parent, Category.name, func.coalesce(here.c.listings, 0))
        .outerjoin(here, here.c.category == Category.slug)
        .order_by(Category.position, Category.slug)
    )
    below: dict[str | None, list[tuple[str, str, int]]] = {}
    for slug, parent, name, count in rows:
        below.setdefault(parent, []).append((slug, name, count))

    def grow(parent: str | None) -> list[CategoryNode]:
        nodes = []
        for slug, name, count in below.get(parent, []):
            children = grow(slug)
            whole = count + sum(child.count for child in children)
            nodes.append(CategoryNode(slug=slug, name=name, count=whole, children=children))
        return nodes

    return CategoryTree(items=grow(None))
