"""Who is mailed. Personal data stays in auth: it is asked for when a mail is about to leave, and kept nowhere."""

from typing import Literal
from uuid import UUID

from nexus_kit.http import ServiceClient
from pydantic import AwareDatetime, BaseModel, Field

from nexus_worker.failures import require_success

Purpose = Literal["verify_email", "reset_password"]


class Recipient(BaseModel):
    """A person and their mailbox."""

    email: str
    full_name: str


class OneTimeToken(BaseModel):
    """What the owner proves their address with, or sets a new password."""

    value: str = Field(alias="token")
    expires_at: AwareDatetime


async def recipient(auth: ServiceClient, user_id: UUID) -> Recipient | None:
    """The owner of the account, or None when it has been closed and erased."""
    answer = await auth.request("GET", f"/internal/users/{user_id}")
    if answer.status_code == 404:
        return None
    return Recipient.model_validate_json(require_success(answer, "auth").content)


async def one_time_token(auth: ServiceClient, user_id: UUID, purpose: Purpose) -> OneTimeToken:
    """A fresh token, minted when its mail is sent: so none ever waits in a queue, or lies in an event."""
    answer = await auth.request("POST", f"/internal/users/{user_id}/tokens", json={"purpose": purpose})
    return OneTimeToken.model_validate_json(require_success(answer, "auth").content)
