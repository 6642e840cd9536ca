"""Keeps the category tree: everybody reads it behind the cache, admins change it. `routes.py` calls it."""

from collections.abc import Iterator, Mapping

from nexus_kit.conditional import Preconditions
from nexus_kit.db import lock
from nexus_kit.errors import Conflict, NotFound, Problem
from sqlalchemy import func, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession

from nexus_listings.categories.models import Category
from nexus_listings.categories.schemas import CategoryChanges, CategoryNode, CategoryTree, NewCategory
from nexus_listings.listings.models import IS_PUBLISHED, Listing
from nexus_listings.listings.service import FieldUnfit
from nexus_listings.publicly import forget_pages

MOST_LEVELS = 4
"""Deeper than this nobody finds anything."""


class CategoryExists(Conflict):
    """There is a category with this slug."""


class CategoryInUse(Conflict):
    """A listing or a narrower category refers to this category."""


class CategoryCycle(Conflict):
    """A category cannot stand below itself."""


class CategoryTooDeep(Conflict):
    """The tree would have too many levels."""


class UnknownParent(FieldUnfit):
    """There is no category with the slug that parent names."""

    pointer = "/parent"


CONSTRAINTS: dict[str, type[Problem]] = {
    "pk_categories": CategoryExists,
    "fk_categories_parent_categories": UnknownParent,
}
"""What an admin is told when the database refuses a row."""


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


async def find(session: AsyncSession, slug: str) -> Category:
    """One category."""
    category = await session.get(Category, slug)
    if category is None:
        raise NotFound
    return category


async def create(session: AsyncSession, new: NewCategory) -> Category:
    """A new leaf."""
    await _keep_others_out(session)
    await _must_fit(session, new.slug, new.parent)
    position = await _behind_the_last(session, new.parent) if new.position is None else new.position
    category = Category(slug=new.slug, name=new.name, parent=new.parent, position=position)
    session.add(category)
    await session.flush()
    forget_pages(session)
    return category


async def change(session: AsyncSession, slug: str, changes: CategoryChanges, conditions: Preconditions) -> Category:
    """Rename, reorder, or move it with all that is below. Changing nothing is no new version."""
    await _keep_others_out(session)
    category = await find(session, slug)
    conditions.must_match(category.version)
    if "parent" in changes.model_fields_set:
        await _must_fit(session, slug, changes.parent)
    for name in changes.model_fields_set:
        setattr(category, name, getattr(changes, name))
    if session.is_modified(category):
        category.version += 1
        await session.flush()
        forget_pages(session)
    return category


async def remove(session: AsyncSession, slug: str) -> None:
    """Only what nobody refers to."""
    await _keep_others_out(session)
    await session.delete(await find(session, slug))
    try:
        await session.flush()
    except IntegrityError as exc:
        # The same constraints refuse a listing that names no category: here they mean the other end.
        raise CategoryInUse from exc
    forget_pages(session)


async def _keep_others_out(session: AsyncSession) -> None:
    """One admin at a time: of two moves that are a cycle only together, the second sees the first."""
    await lock(session, "category tree")


async def _must_fit(session: AsyncSession, slug: str, parent: str | None) -> None:
    """Refuse a parent that stands below, and a branch that would reach too deep."""
    parents = {row.slug: row.parent for row in await session.execute(select(Category.slug, Category.parent))}
    above = list(_upwards(parents, parent))
    if slug in above:
        raise CategoryCycle
    lines = [list(_upwards(parents, each)) for each in parents]
    height = max((line.index(slug) + 1 for line in lines if slug in line), default=1)
    if len(above) + height > MOST_LEVELS:
        raise CategoryTooDeep(f"At most {MOST_LEVELS} levels.")


def _upwards(parents: Mapping[str, str | None], slug: str | None) -> Iterator[str]:
    """The category and all above it."""
    while slug is not None:
        yield slug
        slug = parents.get(slug)


async def _behind_the_last(session: AsyncSession, parent: str | None) -> int:
    last = select(func.max(Category.position)).where(Category.parent.is_not_distinct_from(parent))
    return (await session.scalar(last) or 0) + 1
