"""Who is mailed. Personal data stays in auth: it is asked for when a mail is about to leave, and kept nowhere."""

from typing import Any, Literal
from uuid import UUID

from nexus_kit.http import ServiceClient
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from nexus_worker.failures import require_success

Purpose = Literal["verify_email", "reset_password"]


class AccountClosed(Exception):
    """The account has been closed and erased: there is nobody to mail."""


class _Personal(BaseModel):
    """An answer of auth. An error about it is logged and kept in dead letters, so it quotes none of it."""

    model_config = ConfigDict(hide_input_in_errors=True)


class Recipient(_Personal):
    """A person and their mailbox."""

    email: str
    full_name: str


class OneTimeToken(_Personal):
    """What the owner proves their address with, or sets a new password."""

    value: str = Field(alias="token")
    expires_at: AwareDatetime


async def recipient(auth: ServiceClient, user_id: UUID) -> Recipient:
    """The owner of the account. Raises `AccountClosed`."""
    return Recipient.model_validate_json(await _ask(auth, "GET", f"/internal/users/{user_id}"))


async def one_time_token(auth: ServiceClient, user_id: UUID, purpose: Purpose) -> OneTimeToken:
    """A fresh token, minted when its mail is sent: so none ever waits in a queue, or lies in an event.

    Raises `AccountClosed`.
    """
    answer = await _ask(auth, "POST", f"/internal/users/{user_id}/tokens", json={"purpose": purpose})
    return OneTimeToken.model_validate_json(answer)


async def _ask(auth: ServiceClient, method: str, path: str, **call: Any) -> bytes:
    answer = await auth.request(method, path, **call)
    if answer.status_code == 410:  # not 404, which is also what a wrong NEXUS_AUTH_URL answers
        raise AccountClosed
    return require_success(answer, "auth").content
