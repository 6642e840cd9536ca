"""Conditional requests (RFC 9110 §13): a read that is not repeated, and a write that overwrites nobody else's.

async def read(listing_id: UUID, session: SessionDep, conditions: Conditional, response: Response) -> ListingOut:
    listing = await service.get(session, listing_id)
    conditions.not_modified(response, listing.version)
    return ListingOut.model_validate(listing)
"""

import re
from collections.abc import Callable
from typing import Annotated

from fastapi import Depends, Header, Response

from nexus_kit.early import EarlyAnswer
from nexus_kit.errors import PreconditionFailed, PreconditionRequired

_ENTITY_TAG = re.compile(r'(?:W/)?"([\x21\x23-\x7e\x80-\xff]*)"')


def etag(version: int | str) -> str:
    """The ETag of a resource's version.

    That is a number, which every change that a writer must have seen makes grow; or a number, a dot, and what names the
    rest that is shown and changes by itself. A reader wants to hear of both, a writer is stopped by the first alone.
    """
    return f'"{version}"'


class Preconditions:
    """What the client knows already."""

    def __init__(self, if_match: str | None, if_none_match: str | None) -> None:
        self._if_match = if_match
        self._if_none_match = if_none_match

    def not_modified(self, response: Response, version: int | str) -> None:
        """Put the ETag on `response`, and end here with 304 if the client has this version."""
        response.headers["ETag"] = etag(version)
        if self._if_none_match is not None and _names(self._if_none_match, str(version)):
            headers = {name: value for name, value in response.headers.items() if not name.startswith("content-")}
            raise EarlyAnswer(Response(status_code=304, headers=headers))

    def must_match(self, version: int | str) -> None:
        """Refuse (428, 412) to change anything but the version that the client has seen.

        Check it under the row's lock. Our ETag names a version, not bytes: when a proxy that compresses has marked it
        as weak (`W/"7"`), as nginx does, it still names that version, and refusing it would lock out every browser.
        """
        if self._if_match is None:
            raise PreconditionRequired
        if not _names(self._if_match, str(version), _written):
            raise PreconditionFailed(headers={"ETag": etag(version)})


_IfMatch = Header(alias="If-Match", description="The ETag that the change is based on; required to change a resource.")
_IfNoneMatch = Header(alias="If-None-Match", description="The ETag that the client has: 304 if it is current.")


async def preconditions(
    if_match: Annotated[str | None, _IfMatch] = None, if_none_match: Annotated[str | None, _IfNoneMatch] = None
) -> Preconditions:
    """The dependency behind `Conditional`."""
    return Preconditions(if_match, if_none_match)


Conditional = Annotated[Preconditions, Depends(preconditions)]


def _written(version: str) -> str:
    """Without what changes by itself."""
    return version.partition(".")[0]


def _names(header: str, version: str, part: Callable[[str], str] = str) -> bool:
    return header.strip() == "*" or part(version) in map(part, _ENTITY_TAG.findall(header))
