"""The mails about listings. `reactions.py` names them; each has its folder in `templates/`."""

from urllib.parse import quote
from uuid import UUID

import structlog
from nexus_contracts.listings import SavedSearchMatched
from nexus_kit.http import ServiceClient
from pydantic import BaseModel, ConfigDict

from nexus_worker.failures import require_success
from nexus_worker.job import Job
from nexus_worker.mail.sending import send

log = structlog.get_logger(__name__)


class UnsubscribeToken(BaseModel):
    """An answer of listings. An error about it is logged and kept in dead letters, so it quotes none of it."""

    model_config = ConfigDict(hide_input_in_errors=True)

    token: str


async def mail_saved_search_matches(job: Job[SavedSearchMatched]) -> None:
    """New listings pass a saved search's filters. Who has unsubscribed in the meantime gets no mail."""
    search_id = job.fact.saved_search_id
    token = await _unsubscribe_token(job.tools.services["listings"], search_id)
    if token is None:
        log.info("nobody to mail: the saved search has been stopped")
        return
    address = f"{job.tools.public_url}/api/v1/saved-searches/{search_id}/unsubscribe?token={quote(token, safe='')}"
    await send(job, to=job.fact.user_id, unsubscribe=address)


async def _unsubscribe_token(listings: ServiceClient, search_id: UUID) -> str | None:
    """What stops these mails, asked for when one is sent: so none ever lies in an event. None: they are stopped."""
    answer = await listings.request("POST", f"/internal/saved-searches/{search_id}/unsubscribe-token")
    if answer.status_code == 410:  # not 404, which is also what a wrong NEXUS_LISTINGS_URL answers
        return None
    return UnsubscribeToken.model_validate_json(require_success(answer, "listings").content).token
