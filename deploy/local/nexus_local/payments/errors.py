"""The answers that are not a success, in Chapa's shapes.

`chapa` and `behaviour` raise them; `app` registers the renderers.
"""

from fastapi import Request
from fastapi.responses import HTMLResponse, JSONResponse


class ChapaError(Exception):
    """An answer of the form `{"message": str | {field: [str]}, "status": "failed", "data": null}`."""

    def __init__(self, http_status: int, message: str | dict[str, list[str]], status: str | None = "failed") -> None:
        super().__init__(message)
        self.http_status = http_status
        self.body = {"message": message, "status": status, "data": None}


class Down(Exception):
    """The provider cannot be reached: a proxy in front of it answers."""


def render_error(request: Request, error: Exception) -> JSONResponse:
    """A `ChapaError` as JSON."""
    assert isinstance(error, ChapaError)
    return JSONResponse(error.body, error.http_status)


def render_down(request: Request, error: Exception) -> HTMLResponse:
    """What such a proxy sends."""
    return HTMLResponse("<html><body><h1>503 Service Temporarily Unavailable</h1></body></html>", 503)
