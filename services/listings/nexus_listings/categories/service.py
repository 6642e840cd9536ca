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
    children: dict[str | None, list[CategoryNode]] = {}
    for slug, parent, name, count in rows:
        node = CategoryNode(slug=slug, name=name, count=count, children=children.setdefault(slug, []))
        children.setdefault(parent, []).append(node)
    top = children.get(None, [])
    for node in top:
        _add_up(node)
    return CategoryTree(items=top)


def _add_up(node: CategoryNode) -> int:
    """Give the node the listings of all that is below it."""
    node.count += sum(_add_up(child) for child in node.children)
    return node.count
