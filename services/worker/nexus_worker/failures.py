"""Why a reaction failed, and whether to try again. Reactions raise `Permanent`; `react` turns all else into a retry."""

import httpx
from nexus_kit.errors import UpstreamFailed

# 401 and 403 come from a service of ours: its secret or clock and this one's differ, which somebody will put right.
TRY_AGAIN = {401, 403, 408, 425, 429}


class Permanent(Exception):
    """Trying again will fail in the same way: straight to the dead letters. The text holds no personal data."""


class ApartPerhaps(Exception):
    """These events cannot be delivered together. One of them may be at fault: each half is to be tried by itself."""


def require_success(answer: httpx.Response, service: str) -> httpx.Response:
    """The answer, if it is one of success. A refusal of what was said (4xx) is permanent."""
    if answer.is_success:
        return answer
    call = f"{answer.request.method} {answer.request.url.path}"
    if answer.status_code >= 500 or answer.status_code in TRY_AGAIN:
        raise UpstreamFailed(f"{service} answered {answer.status_code} to {call}")
    raise Permanent(f"{service} refused {call} with {answer.status_code}: {answer.text[:300]}")
