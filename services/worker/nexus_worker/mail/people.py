"""Who is mailed. Personal data stays in auth: it is asked for when a mail is about to leave, and kept nowhere."""

from dataclasses import dataclass
from uuid import UUID

from nexus_kit.http import ServiceClient

from nexus_worker.failures import require_success


@dataclass(frozen=True)
class Recipient:
    """A person and their mailbox."""

    email: str
    full_name: str


async def recipient(auth: ServiceClient, user_id: UUID) -> Recipient | None:
    """The owner of the account, or None once it has been closed and erased (410)."""
    answer = await auth.request("GET", f"/internal/users/{user_id}")
    if answer.status_code == 410:
        return None
    user = require_success(answer, "auth").json()
    return Recipient(user["email"], user["full_name"])


async def one_time_token(auth: ServiceClient, user_id: UUID, purpose: str) -> str:
    """A fresh token (`verify_email`, `reset_password`): minted when the mail is sent, so it never waits in a queue."""
    answer = await auth.request("POST", f"/internal/users/{user_id}/tokens", json={"purpose": purpose})
    return str(require_success(answer, "auth").json()["token"])
