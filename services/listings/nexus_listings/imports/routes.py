"""The address of imports: hosts bring in their own listings, admins anybody's. `nexus import` calls it."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Query
from nexus_contracts.access_token import Role
from nexus_kit.auth import EmailNotVerified, NotAllowed, VerifiedUser
from nexus_kit.db import SessionDep
from nexus_kit.errors import PayloadTooLarge, ValidationFailed, responses
from nexus_kit.tokens import NotAuthenticated

from nexus_listings.imports import service
from nexus_listings.imports.schemas import ImportChunk, ImportReport
from nexus_listings.listings.service import AccountErased

router = APIRouter(prefix="/listings", tags=["listings"])


async def owner(
    user: VerifiedUser,
    host_id: Annotated[UUID | None, Query(description="Whose listings they become; an admin may name anybody.")] = None,
) -> UUID:
    """The dependency behind `Owner`: the caller, or whom an admin names."""
    if host_id not in (None, user.user_id) and Role.ADMIN not in user.roles:
        raise NotAllowed("host_id: only an admin may name another host.")
    return host_id or user.user_id


Owner = Annotated[UUID, Depends(owner)]


@router.post(
    "/import",
    summary="Import listings",
    responses=responses(
        *(NotAuthenticated, EmailNotVerified, NotAllowed, AccountErased, PayloadTooLarge, ValidationFailed)
    ),
)
async def import_rows(
    body: ImportChunk,
    host_id: Owner,
    session: SessionDep,
    *,
    dry_run: Annotated[bool, Query(description="Say what would become of the rows, and keep nothing.")] = False,
) -> ImportReport:
    """Makes listings, or changes those with the same `external_id`; a field left out stays as it is.

    The answer says what became of each row. Sending rows again is safe: what is there already is counted unchanged.
    Cut a file into pieces and send them one after the other.
    """
    return await service.import_rows(session, host_id, body.rows, dry_run=dry_run)
