"""Who may call: dependencies that a route names in its signature.

    async def publish(listing_id: UUID, host: VerifiedUser, session: SessionDep) -> ListingOut: ...

A route that names none of them must be listed as public in its service's `main.py`, or the app refuses to start.
"""

from typing import Annotated

from fastapi import Depends, Request
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from nexus_contracts.access_token import Role

from nexus_kit.errors import Forbidden
from nexus_kit.runtime import RuntimeDep
from nexus_kit.tokens import NotAuthenticated, Principal, Verifier, verify_service_token

_bearer = HTTPBearer(
    auto_error=False, scheme_name="access token", bearerFormat="JWT", description="From POST /auth/login."
)
_service_bearer = HTTPBearer(auto_error=False, scheme_name="service token", description="Internal routes only.")

_Bearer = Annotated[HTTPAuthorizationCredentials | None, Depends(_bearer)]
_ServiceBearer = Annotated[HTTPAuthorizationCredentials | None, Depends(_service_bearer)]


class EmailNotVerified(Forbidden):
    """Verify your e-mail address first."""


class NotAllowed(Forbidden):
    """Your roles do not allow this."""


async def authenticate(request: Request) -> Principal | None:
    """The caller, or None without a token. A token that is present must be good: a typing error is not anonymity."""
    header = request.headers.get("authorization")
    if header is None:
        return None
    scheme, _, token = header.partition(" ")
    if scheme.lower() != "bearer" or not token:
        raise NotAuthenticated("Send `Authorization: Bearer <access token>`.")
    verifier: Verifier = request.app.state.runtime.verifier
    return await verifier.verify(token.strip())


async def optional_user(request: Request, _: _Bearer) -> Principal | None:
    """The dependency behind `OptionalUser`; the second parameter is there for the documentation."""
    return await authenticate(request)


async def current_user(request: Request, _: _Bearer) -> Principal:
    """The caller, who must be signed in."""
    user = await authenticate(request)
    if user is None:
        raise NotAuthenticated
    return user


async def verified_user(user: Annotated[Principal, Depends(current_user)]) -> Principal:
    """The caller, who must have proved their address: needed to publish and to book."""
    if not user.email_verified:
        raise EmailNotVerified
    return user


async def admin_user(user: Annotated[Principal, Depends(current_user)]) -> Principal:
    """The caller, who must be an admin."""
    if Role.ADMIN not in user.roles:
        raise NotAllowed
    return user


async def service_caller(runtime: RuntimeDep, bearer: _ServiceBearer) -> str:
    """The name of the service that calls an internal route."""
    if bearer is None:
        raise NotAuthenticated("Internal routes need a service token.")
    secret = runtime.settings.internal_secret.get_secret_value()
    return verify_service_token(bearer.credentials, secret, audience=runtime.name)


OptionalUser = Annotated[Principal | None, Depends(optional_user)]
CurrentUser = Annotated[Principal, Depends(current_user)]
VerifiedUser = Annotated[Principal, Depends(verified_user)]
AdminUser = Annotated[Principal, Depends(admin_user)]
ServiceCaller = Annotated[str, Depends(service_caller)]

GUARDS = frozenset({current_user, service_caller})
"""A route is guarded if one of these is among its dependencies, however deep."""
