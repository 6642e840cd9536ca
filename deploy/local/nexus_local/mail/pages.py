"""The web pages: the list of mails, one mail, and a mail's HTML in a frame that can do nothing.

People open them from `nexus up`'s closing box. They use no script and no outside address.
"""

import base64
import hashlib
import re
from html import escape
from pathlib import Path
from typing import Any

from fastapi import APIRouter
from fastapi.responses import HTMLResponse, Response

from nexus_local.mail.api import MaildirDep, not_found
from nexus_local.mail.maildir import Mail
from nexus_local.mail.message import describe
from nexus_local.mail.search import search

router = APIRouter()

STYLE = (Path(__file__).parent / "style.css").read_text(encoding="utf-8")
STYLE_HASH = base64.b64encode(hashlib.sha256(STYLE.encode()).digest()).decode()
PAGE_POLICY = (
    f"default-src 'none'; style-src 'sha256-{STYLE_HASH}'; img-src data:; frame-src 'self'; form-action 'self'; "
    "base-uri 'none'; frame-ancestors 'none'"
)
# A mail may style itself and open its links in a new tab, and nothing else: no script, no form, no request.
LINKS_ONLY = "allow-popups allow-popups-to-escape-sandbox"
MAIL_POLICY = (
    f"sandbox {LINKS_ONLY}; default-src 'none'; style-src 'unsafe-inline'; img-src data:; frame-ancestors 'self'"
)
HEAD = re.compile(r"(?i)<head\b[^>]*>")
LINK = re.compile(r"https?://[^\s<>\"]+[^\s<>\".,;:!?)\]]")


@router.get("/")
async def list_page(maildir: MaildirDep, query: str = "") -> HTMLResponse:
    """The mails, newest first, or those that match the search box."""
    mails = maildir.newest_first()
    shown = search(mails, query) if query else mails
    rows = "".join(_row(mail) for mail in shown[:200]) or '<li class="soft">No mail yet.</li>'
    body = f"""<header><h1>Mail <small>{len(maildir)} caught, {maildir.unread} unread</small></h1>
<form action="/"><input name="query" type="search" value="{escape(query)}" placeholder="to:guest subject:booking"
 aria-label="Search"></form></header><ol>{rows}</ol>"""
    return _page("Mail", body, refresh=not query)


@router.get("/message/{mail_id}")
async def message_page(maildir: MaildirDep, mail_id: str) -> Response:
    """One mail: who, when, what; its HTML in a frame, its text with links that can be clicked."""
    if not (mail := maildir.get(mail_id)):
        return not_found()
    maildir.mark_read(mail)
    message = describe(mail.summary["ID"], mail.raw)
    facts = {
        "From": _people([message["From"]] if message["From"] else []),
        "To": _people(message["To"]),
        "Cc": _people(message["Cc"]),
        "Bcc": _people(message["Bcc"]),
        "Reply-To": _people(message["ReplyTo"]),
        "Date": message["Date"],
        "Files": ", ".join(f"{file['FileName']} ({file['Size']} B)" for file in message["Attachments"]),
    }
    address = f"/message/{message['ID']}/html"
    source = f"/api/v1/message/{message['ID']}/raw"
    title = escape(message["Subject"]) or "(no subject)"
    rows = "".join(f"<dt>{name}</dt><dd>{escape(value)}</dd>" for name, value in facts.items() if value)
    body = f"""<header><h1>{title}</h1><a href="/">All mail</a><a href="{source}">Source</a></header><dl>{rows}</dl>"""
    if message["HTML"]:
        body += f'<iframe title="The mail as HTML" sandbox="{LINKS_ONLY}" src="{address}"></iframe>'
    if message["Text"]:
        body += f"<h2>Text</h2><pre>{_with_links(message['Text'])}</pre>"
    return _page(message["Subject"], body)


@router.get("/message/{mail_id}/html")
async def message_html(maildir: MaildirDep, mail_id: str) -> Response:
    """A mail's own HTML, for the frame."""
    if not (mail := maildir.get(mail_id)):
        return not_found()
    content = describe(mail.summary["ID"], mail.raw)["HTML"]
    head = HEAD.search(content)
    start = head.end() if head else 0
    return _html(f'{content[:start]}<base target="_blank">{content[start:]}', MAIL_POLICY)


def _row(mail: Mail) -> str:
    summary = mail.summary
    return (
        f'<li><a href="/message/{summary["ID"]}"{"" if summary["Read"] else " class=unread"}>'
        f'<span class="to cut">{escape(_people(summary["To"] + summary["Bcc"]))}</span>'
        f'<span class="cut">{escape(summary["Subject"])} <span class="soft">{escape(summary["Snippet"])}</span></span>'
        f"<small>{summary['Created'][11:19]}</small></a></li>"
    )


def _people(people: list[dict[str, Any]]) -> str:
    return ", ".join(f"{person['Name']} <{person['Address']}>".lstrip() for person in people)


def _with_links(text: str) -> str:
    """The text, escaped, with its web addresses as links."""
    parts, end = [], 0
    for link in LINK.finditer(text):
        url = escape(link[0])
        parts += [escape(text[end : link.start()]), f'<a href="{url}" target="_blank" rel="noreferrer">{url}</a>']
        end = link.end()
    return "".join([*parts, escape(text[end:])])


def _page(title: str, body: str, *, refresh: bool = False) -> HTMLResponse:
    refreshing = '<meta http-equiv="refresh" content="5">' if refresh else ""
    content = f"""<!doctype html><html lang="en"><head><meta charset="utf-8">{refreshing}
<meta name="viewport" content="width=device-width, initial-scale=1"><title>{escape(title)} · Nexus mail</title>
<style>{STYLE}</style></head><body>{body}</body></html>"""
    return _html(content, PAGE_POLICY)


def _html(content: str, policy: str) -> HTMLResponse:
    headers = {
        "Content-Security-Policy": policy,
        "X-Content-Type-Options": "nosniff",
        "Referrer-Policy": "no-referrer",
        "Cache-Control": "no-store",
    }
    return HTMLResponse(content, headers=headers)
