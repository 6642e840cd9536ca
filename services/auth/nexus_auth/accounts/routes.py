"""Registering, proving the address, passwords, and one's own profile. `internal` is what the worker asks."""

from uuid import UUID

from fastapi import APIRouter, Response
from nexus_kit.auth import CurrentUser, ServiceCaller
from nexus_kit.conditional import Conditional, etag
from nexus_kit.db import SessionDep
from nexus_kit.errors import NotFound, PreconditionFailed, PreconditionRequired, ValidationFailed, responses
from nexus_kit.ratelimit import RateLimited
from nexus_kit.runtime import RuntimeDep
from nexus_kit.tokens import NotAuthenticated, TokenRefused

from nexus_auth import limits
from nexus_auth.accounts import service
from nexus_auth.accounts.schemas import (
    Accepted,
    EmailVerification,
    ForgottenPassword,
    PasswordReset,
    Profile,
    ProfileChange,
    Recipient,
    Registration,
)
from nexus_auth.tokens.service import AccountClosed, InvalidToken

router = APIRouter(prefix="/auth", tags=["accounts"])
internal = APIRouter(prefix="/internal/users", tags=["internal"])


@router.post(
    "/register",
    status_code=202,
    summary="Register",
    dependencies=[limits.REGISTER_BY_CLIENT, limits.EVENLY],
    responses=responses(ValidationFailed, RateLimited),
)
async def register(body: Registration, runtime: RuntimeDep, session: SessionDep) -> Accepted:
    """Make an account. The answer is the same when the address has one already: its owner gets a mail that says so."""
    await limits.MAIL_BY_ADDRESS.spend(runtime, body.email)
    await service.register(session, body)
    return Accepted()


@router.post(
    "/verify-email",
    status_code=204,
    summary="Verify the e-mail address",
    responses=responses(InvalidToken, ValidationFailed),
)
async def verify_email(body: EmailVerification, session: SessionDep) -> None:
    """Use the token of the mailed link. Refresh afterwards: the next access token says `email_verified`."""
    await service.verify_email(session, body.token)


@router.post(
    "/forgot-password",
    status_code=202,
    summary="Ask for a link that sets a new password",
    dependencies=[limits.FORGOT_BY_CLIENT, limits.EVENLY],
    responses=responses(ValidationFailed, RateLimited),
)
async def forgot_password(body: ForgottenPassword, runtime: RuntimeDep, session: SessionDep) -> Accepted:
    """The answer does not tell whether the address has an account."""
    await limits.MAIL_BY_ADDRESS.spend(runtime, body.email)
    await service.forgot_password(session, body)
    return Accepted()


@router.post(
    "/reset-password",
    status_code=204,
    summary="Set a new password",
    dependencies=[limits.RESET_BY_CLIENT],
    responses=responses(InvalidToken, ValidationFailed, RateLimited),
)
async def reset_password(body: PasswordReset, session: SessionDep) -> None:
    """Use the token of the mailed link. Every session of the account ends, and its address counts as verified."""
    await service.reset_password(session, body)


@router.get("/me", summary="Read your profile", responses=responses(NotAuthenticated, TokenRefused, NotFound))
async def read_me(caller: CurrentUser, session: SessionDep, conditions: Conditional, response: Response) -> Profile:
    """The account of the access token, with its ETag."""
    user = await service.read(session, caller.user_id)
    conditions.not_modified(response, user.version)
    return Profile.model_validate(user)


@router.patch(
    "/me",
    summary="Change your profile",
    responses=responses(
        NotAuthenticated, TokenRefused, NotFound, PreconditionFailed, PreconditionRequired, ValidationFailed
    ),
)
async def change_me(
    body: ProfileChange, caller: CurrentUser, session: SessionDep, conditions: Conditional, response: Response
) -> Profile:
    """Needs `If-Match` with the ETag of the version that you have seen."""
    user = await service.read(session, caller.user_id, to_change=True)
    conditions.must_match(user.version)
    await service.rename(session, user, body.full_name)
    response.headers["ETag"] = etag(user.version)
    return Profile.model_validate(user)


@router.delete(
    "/me", status_code=204, summary="Close your account", responses=responses(NotAuthenticated, TokenRefused, NotFound)
)
async def delete_me(caller: CurrentUser, session: SessionDep) -> None:
    """Erases name, address and password, and ends every session. It cannot be undone; the address is free again.

    Needs the access token and nothing more: ask for the password in your own dialogue, by signing in again first.
    """
    await service.erase(session, caller.user_id)


@internal.get("/{user_id}", summary="Read a recipient", responses=responses(TokenRefused, NotFound, AccountClosed))
async def read_recipient(user_id: UUID, caller: ServiceCaller, session: SessionDep) -> Recipient:
    """Events carry ids only: whoever writes to a user asks for name and address at that moment, and keeps neither."""
    return Recipient.model_validate(await service.read(session, user_id))
