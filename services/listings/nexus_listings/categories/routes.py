"""The addresses of the category tree: everybody reads it, admins keep it."""

from typing import Annotated

from fastapi import APIRouter, Path, Response
from nexus_kit.auth import AdminUser, NotAllowed
from nexus_kit.conditional import Conditional, etag
from nexus_kit.db import SessionDep
from nexus_kit.errors import NotFound, PreconditionFailed, PreconditionRequired, ValidationFailed, responses
from nexus_kit.idempotency import IdempotencyInProgress, IdempotencyKeyReused, OnceIfKeyed
from nexus_kit.tokens import NotAuthenticated

from nexus_listings.categories import service
from nexus_listings.categories.schemas import SLUG, CategoryChanges, CategoryOut, CategoryTree, NewCategory
from nexus_listings.publicly import public

router = APIRouter(prefix="/categories", tags=["categories"], route_class=public("categories"))
kept = APIRouter(prefix="/categories", tags=["categories"])

Slug = Annotated[str, Path(max_length=50, pattern=SLUG, description="Slug of a category.", examples=["house"])]
ADMIN = (NotAuthenticated, NotAllowed)
UNFIT = (service.UnknownParent, service.CategoryTooDeep, ValidationFailed)


@router.get("", summary="The kinds of places")
async def tree(session: SessionDep) -> CategoryTree:
    """As a tree, each with the number of published listings in it and below."""
    return await service.tree(session)


@router.get("/{slug}", summary="Read a category", responses=responses(NotFound))
async def read(slug: Slug, session: SessionDep, response: Response) -> CategoryOut:
    """By itself: its place in the tree, and the ETag that a change needs."""
    category = await service.find(session, slug)
    response.headers["ETag"] = etag(category.version)
    return CategoryOut.model_validate(category)


@kept.post(
    "",
    status_code=201,
    summary="Add a category",
    responses=responses(*ADMIN, *UNFIT, service.CategoryExists, IdempotencyInProgress, IdempotencyKeyReused),
)
async def create(body: NewCategory, _: AdminUser, session: SessionDep, once: OnceIfKeyed) -> CategoryOut:
    """Admins only. Its slug is for ever: listings and links use it."""
    category = await service.create(session, body)
    headers = {"Location": f"/api/v1/categories/{category.slug}", "ETag": etag(category.version)}
    return once.keep(201, CategoryOut.model_validate(category), headers=headers)


@kept.patch(
    "/{slug}",
    summary="Rename, reorder or move a category",
    responses=responses(
        *(*ADMIN, *UNFIT, NotFound, service.CategoryCycle, PreconditionFailed, PreconditionRequired),
    ),
)
async def change(
    slug: Slug,
    body: CategoryChanges,
    _: AdminUser,
    *,
    session: SessionDep,
    conditions: Conditional,
    response: Response,
) -> CategoryOut:
    """Admins only. What is below moves with it. Send the ETag in `If-Match`, so that nobody's change is lost."""
    category = await service.change(session, slug, body, conditions)
    response.headers["ETag"] = etag(category.version)
    return CategoryOut.model_validate(category)


@kept.delete(
    "/{slug}",
    status_code=204,
    summary="Remove a category",
    responses=responses(*ADMIN, NotFound, service.CategoryInUse),
)
async def remove(slug: Slug, _: AdminUser, session: SessionDep) -> None:
    """Admins only. Refused while a listing, in any state, or a narrower category refers to it."""
    await service.remove(session, slug)
