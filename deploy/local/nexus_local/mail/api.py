"""Mailpit's HTTP API, the part that tests and tools use to read mail.

Tests wait for mails with it; the shapes are checked against Mailpit's own source (`server/apiv1`, `internal/storage`).
"""

from typing import Annotated

from fastapi import APIRouter, Body, Depends, Query, Request
from fastapi.responses import PlainTextResponse, Response

from nexus_local.mail.maildir import Mail, Maildir
from nexus_local.mail.message import JsonObject, describe, parse
from nexus_local.mail.search import search

router = APIRouter(prefix="/api/v1")


def maildir_of(request: Request) -> Maildir:
    """The application's Maildir."""
    maildir: Maildir = request.app.state.maildir
    return maildir


MaildirDep = Annotated[Maildir, Depends(maildir_of)]
Start = Annotated[int, Query(ge=0)]
Limit = Annotated[int, Query(ge=0)]


@router.get("/messages")
async def list_messages(maildir: MaildirDep, start: Start = 0, limit: Limit = 50) -> JsonObject:
    """Every mail, newest first."""
    return _listing(maildir, maildir.newest_first(), start, limit)


@router.get("/search", response_model=None)
async def search_messages(
    maildir: MaildirDep, query: str = "", start: Start = 0, limit: Limit = 50
) -> JsonObject | Response:
    """The mails that match, newest first."""
    if not query.strip():
        return PlainTextResponse("Error: no search query", 400)
    return _listing(maildir, search(maildir.newest_first(), query), start, limit)


@router.delete("/messages")
async def delete_messages(
    maildir: MaildirDep, ids: Annotated[list[str] | None, Body(alias="IDs", embed=True)] = None
) -> PlainTextResponse:
    """Delete the mails of `{"IDs": [...]}`, or all without IDs."""
    maildir.delete(ids or None)
    return PlainTextResponse("ok")


@router.get("/message/{mail_id}", response_model=None)
async def read_message(maildir: MaildirDep, mail_id: str) -> JsonObject | Response:
    """One mail, which counts as read from now on. `latest` is the newest."""
    if not (mail := maildir.get(mail_id)):
        return not_found()
    maildir.mark_read(mail)
    return describe(mail.summary["ID"], mail.raw)


@router.get("/message/{mail_id}/headers", response_model=None)
async def read_headers(maildir: MaildirDep, mail_id: str) -> dict[str, list[str]] | Response:
    """The headers of one mail: each name with all its values."""
    if not (mail := maildir.get(mail_id)):
        return not_found()
    message = parse(mail.raw)
    return {name: [str(value) for value in message.get_all(name, [])] for name in sorted(set(message.keys()))}


@router.get("/message/{mail_id}/raw")
async def read_raw(maildir: MaildirDep, mail_id: str) -> PlainTextResponse:
    """The source of one mail."""
    mail = maildir.get(mail_id)
    return PlainTextResponse(mail.raw) if mail else not_found()


def not_found() -> PlainTextResponse:
    """Mailpit's answer to an unknown ID."""
    return PlainTextResponse("404 page not found", 404)


def _listing(maildir: Maildir, matching: list[Mail], start: int, limit: int) -> JsonObject:
    page = [mail.summary for mail in matching[start : start + limit]]
    return {
        "total": len(maildir),
        "unread": maildir.unread,
        "count": len(page),
        "messages_count": len(matching),
        "messages_unread": sum(not mail.summary["Read"] for mail in matching),
        "start": start,
        "tags": [],
        "messages": page,
    }
