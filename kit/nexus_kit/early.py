"""An answer in place of the route's own: a stored one (`idempotency.py`), or "you have it already" (`conditional.py`).

Raised like a problem, so the transaction rolls back and the route stops; `problems.install` maps it to its response.
"""

from fastapi import Request, Response


class EarlyAnswer(Exception):
    """Stop here and send `response`."""

    def __init__(self, response: Response) -> None:
        super().__init__(response.status_code)
        self.response = response


async def respond(_: Request, exc: Exception) -> Response:
    """The exception handler."""
    assert isinstance(exc, EarlyAnswer)
    return exc.response
