"""Errors as problem documents (RFC 9457). A service raises a `Problem`; `problems.py` renders it.

The base fixes the status; a subclass is one line: its name is the stable `code`, its docstring the `title`.

    Problem
    ├── BadRequest 400            InvalidCursor, CursorMismatch, IdempotencyKeyRequired, InvalidToken …
    ├── Unauthorized 401          NotAuthenticated, TokenRefused, InvalidCredentials, SessionRevoked …
    ├── Forbidden 403             EmailNotVerified, NotAllowed
    ├── NotFound 404
    ├── MethodNotAllowed 405
    ├── Conflict 409              IllegalTransition, DatesUnavailable, IdempotencyInProgress …
    ├── Gone 410                  AccountClosed
    ├── PreconditionFailed 412
    ├── PayloadTooLarge 413
    ├── UnsupportedMediaType 415
    ├── Unprocessable 422         ValidationFailed, IdempotencyKeyReused …
    ├── PreconditionRequired 428
    ├── TooManyRequests 429       RateLimited
    ├── InternalError 500
    ├── BadGateway 502            UpstreamFailed
    └── Unavailable 503           Busy, UpstreamUnavailable
"""

import re
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from pydantic import BaseModel, Field

MEDIA_TYPE = "application/problem+json"


class FieldError(BaseModel):
    """One thing that is wrong with a request, and where."""

    pointer: str = Field(description="JSON Pointer into the body, or the name of a parameter.", examples=["/check_in"])
    code: str = Field(examples=["date_from_datetime_parsing"])
    message: str


class ProblemDocument(BaseModel):
    """The body of every error, by whichever part of the suite it was made."""

    type: str = Field(description="Path of a page about this problem.", examples=["/problems/dates_unavailable"])
    title: str
    status: int
    detail: str
    code: str = Field(description="Stable: programs decide by it.", examples=["dates_unavailable"])
    request_id: str
    errors: list[FieldError] | None = Field(default=None, description="Only for validation: everything that is wrong.")


class Problem(Exception):
    """Something the client is told. `detail` says what happened this time; never put a secret in it."""

    status: ClassVar[int] = 500

    def __init__(
        self,
        detail: str = "",
        *,
        headers: Mapping[str, str] | None = None,
        errors: Sequence[FieldError] | None = None,
        **members: Any,
    ) -> None:
        """`members` are the extension members of RFC 9457 §3.2, for facts that a program may act on."""
        super().__init__(detail or self.title())
        self.detail = detail or self.title()
        self.headers = dict(headers or {})
        self.errors = list(errors or [])
        self.members = members

    @classmethod
    def code(cls) -> str:
        """`DatesUnavailable` is `dates_unavailable`."""
        return re.sub(r"(?<!^)(?=[A-Z])", "_", cls.__name__).lower()

    @classmethod
    def title(cls) -> str:
        """The first line of the docstring, without its full stop."""
        return (cls.__doc__ or cls.__name__).strip().splitlines()[0].rstrip(".")


class BadRequest(Problem):
    """The request cannot be understood."""

    status = 400


class Unauthorized(Problem):
    """Who calls is not known."""

    status = 401


class Forbidden(Problem):
    """The caller may not do this."""

    status = 403


class NotFound(Problem):
    """There is nothing here, or nothing that the caller may see."""

    status = 404


class MethodNotAllowed(Problem):
    """This address does not answer to this method."""

    status = 405


class Conflict(Problem):
    """The state of things does not allow it."""

    status = 409


class Gone(Problem):
    """It was here, and will not be again."""

    status = 410


class PreconditionFailed(Problem):
    """The resource has changed since the version named in If-Match."""

    status = 412


class PayloadTooLarge(Problem):
    """The body is larger than the limit."""

    status = 413


class UnsupportedMediaType(Problem):
    """The body's content type is not accepted here."""

    status = 415


class Unprocessable(Problem):
    """The request is understood, but its content is not acceptable."""

    status = 422


class PreconditionRequired(Problem):
    """This call changes a resource and needs If-Match with its ETag."""

    status = 428


class TooManyRequests(Problem):
    """Too many requests in a short time."""

    status = 429


class InternalError(Problem):
    """Something broke on our side."""

    status = 500


class BadGateway(Problem):
    """A service behind this one answered nonsense."""

    status = 502


class Unavailable(Problem):
    """This cannot be served right now; try again."""

    status = 503


class ValidationFailed(Unprocessable):
    """Some fields or parameters are wrong."""


class IllegalTransition(Conflict):
    """The resource is in a state from which this move is not legal."""


class Busy(Unavailable):
    """Too many callers compete for the same thing; try again."""


class UpstreamUnavailable(Unavailable):
    """A service that this call needs does not answer; try again."""


class UpstreamFailed(BadGateway):
    """A service that this call needs answered in a way that cannot be used."""


def responses(*problems: type[Problem]) -> dict[int | str, dict[str, Any]]:
    """The OpenAPI entries of a route's problems: one per status, naming each code that it can carry."""
    by_status: dict[int | str, list[type[Problem]]] = {}
    for problem in problems:
        by_status.setdefault(problem.status, []).append(problem)
    return {
        status: {
            "description": "; ".join(f"`{kind.code()}`: {kind.title()}" for kind in kinds),
            "content": {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/ProblemDocument"}}},
        }
        for status, kinds in by_status.items()
    }
