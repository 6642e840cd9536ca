"""Push delivery: facts are handed to a service that needs them, which applies each once (`nexus_kit.inbox`).

`reactions.py` says which; `reader.py` puts those that it reads together into one message, and `react.py` runs it.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import httpx
from nexus_contracts.envelope import BATCH_MEDIA_TYPE, MEDIA_TYPE
from nexus_kit.errors import UpstreamUnavailable

from nexus_worker.failures import TRY_AGAIN, ApartPerhaps, require_success
from nexus_worker.job import Tools

_TOO_MUCH = (httpx.ReadTimeout, httpx.ReadError, httpx.RemoteProtocolError)
"""What becomes of a request that was taken and is not answered."""


@dataclass(frozen=True)
class Delivery:
    """The reaction that posts events, as they were published, to the service's `/internal/events`.

    It needs no inbox row here: what makes a repetition harmless is the service's own.
    """

    service: str

    @property
    def __name__(self) -> str:
        """As messages and dead letters call it."""
        return f"deliver_to_{self.service}"

    async def __call__(self, tools: Tools, documents: Sequence[str]) -> None:
        """Deliver them in one request, of which all take effect or none."""
        is_one = len(documents) == 1
        content = documents[0] if is_one else f"[{','.join(documents)}]"
        headers = {"Content-Type": MEDIA_TYPE if is_one else BATCH_MEDIA_TYPE}
        try:
            answer = await tools.services[self.service].request(
                "POST", "/internal/events", content=content.encode(), headers=headers
            )
        except UpstreamUnavailable as exc:
            if not is_one and isinstance(exc.__cause__, _TOO_MUCH):
                raise ApartPerhaps(f"{self.service} took too long, or did not survive it") from exc
            raise
        if not is_one and not answer.is_success and answer.status_code not in TRY_AGAIN:
            raise ApartPerhaps(f"{self.service} answered {answer.status_code}: {answer.text[:300]}")
        require_success(answer, self.service)


deliver_to = Delivery
"""As `reactions.py` reads: `NightsChanged: [deliver_to("listings")]`."""
