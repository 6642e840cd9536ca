"""The one renderer of errors: whatever is raised leaves as a problem document with its request id.

`app.create_app` installs it; no route catches anything for the sake of its rendering.
"""

from typing import Any

import structlog
from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from nexus_kit import context, early, errors
from nexus_kit.early import EarlyAnswer
from nexus_kit.errors import FieldError, Problem

log = structlog.get_logger(__name__)

_BY_STATUS: dict[int, type[Problem]] = {
    kind.status: kind
    for kind in (
        errors.BadRequest,
        errors.Unauthorized,
        errors.Forbidden,
        errors.NotFound,
        errors.MethodNotAllowed,
        errors.PayloadTooLarge,
        errors.UnsupportedMediaType,
    )
}


def install(app: FastAPI) -> None:
    """Map every exception that can leave a route to its document."""

    @app.exception_handler(Problem)
    async def problem(_: Request, exc: Problem) -> Response:
        return render(exc)

    app.add_exception_handler(EarlyAnswer, early.respond)

    @app.exception_handler(HTTPException)
    async def http_exception(_: Request, exc: HTTPException) -> Response:
        kind = _BY_STATUS.get(exc.status_code, errors.InternalError)
        # A 400 is FastAPI's word on a body that it could not read, a 413 names the limit; other titles say enough.
        return render(kind(str(exc.detail) if exc.status_code in (400, 413) else "", headers=exc.headers))

    @app.exception_handler(RequestValidationError)
    async def validation(request: Request, exc: RequestValidationError) -> Response:
        if (mismatch := _media_type_mismatch(request, exc)) is not None:
            return render(mismatch)
        found = [field_error(error) for error in exc.errors()]
        return render(errors.ValidationFailed("; ".join(f"{e.pointer}: {e.message}" for e in found[:3]), errors=found))


def render(problem: Problem) -> Response:
    """The response of one problem."""
    document = {
        "type": f"/problems/{problem.code()}",
        "title": problem.title(),
        "status": problem.status,
        "detail": problem.detail,
        "code": problem.code(),
        "request_id": context.REQUEST_ID.get() or "",
        **problem.members,
    }
    if problem.errors:
        document["errors"] = [error.model_dump() for error in problem.errors]
    headers = dict(problem.headers)
    if problem.status == 401:
        headers.setdefault("WWW-Authenticate", "Bearer")
    if problem.status == 503:
        headers.setdefault("Retry-After", "1")
    return JSONResponse(document, problem.status, headers, media_type=errors.MEDIA_TYPE)


def field_error(error: dict[str, Any]) -> FieldError:
    """pydantic's error, with its place as a JSON Pointer (body) or the parameter's name (anything else)."""
    where, *path = error["loc"]
    steps = [
        str(step).replace("~", "~0").replace("/", "~1") for step in path if not isinstance(step, int) or where == "body"
    ]
    if error["type"] == "json_invalid":
        steps = []
    pointer = "/" + "/".join(steps) if where == "body" else ".".join(steps) or str(where)
    return FieldError(pointer=pointer, code=error["type"], message=error["msg"].removeprefix("Value error, "))


def _media_type_mismatch(request: Request, exc: RequestValidationError) -> Problem | None:
    """FastAPI hands a body that is not declared as JSON to the model as bytes; say what is really wrong."""
    if not isinstance(exc.body, bytes):
        return None
    declared = request.headers.get("content-type", "none")
    return errors.UnsupportedMediaType(f"Send application/json, not {declared[:100]}.")
