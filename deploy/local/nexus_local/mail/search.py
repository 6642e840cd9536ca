"""Mailpit's search terms over stored mails: `to:guest@nexus.example subject:"Your booking" -is:read refund`.

`api` and `pages` call `search`; every term must match.
"""

import re

from nexus_local.mail.maildir import Mail
from nexus_local.mail.message import JsonObject, parse, plain_text

FIELDS = {
    "to": "To",
    "from": "From",
    "cc": "Cc",
    "bcc": "Bcc",
    "reply-to": "ReplyTo",
    "subject": "Subject",
    "message-id": "MessageID",
}
TERM = re.compile(r'(?:[^\s"]|"[^"]*"?)+')


def search(mails: list[Mail], query: str) -> list[Mail]:
    """Those of `mails` that every term of `query` matches, in their order. Case does not matter."""
    terms = [term.replace('"', "").lower() for term in TERM.findall(query)]
    return [mail for mail in mails if all(_matches(mail, term) for term in terms)]


def _matches(mail: Mail, term: str) -> bool:
    if len(term) > 1 and term[0] in "-!":
        return not _matches(mail, term[1:])
    name, colon, wanted = term.partition(":")
    if colon and name in FIELDS:
        return wanted in _field(mail.summary, FIELDS[name])
    match term:
        case "is:read":
            return bool(mail.summary["Read"])
        case "is:unread":
            return not mail.summary["Read"]
        case "has:attachment" | "has:attachments":
            return bool(mail.summary["Attachments"])
    return any(term in _field(mail.summary, field) for field in FIELDS.values()) or term in _text(mail)


def _field(summary: JsonObject, name: str) -> str:
    value = summary[name]
    if isinstance(value, str):
        return value.lower()
    people = value if isinstance(value, list) else [value] if value else []
    return " ".join(f"{person['Name']} {person['Address']}" for person in people).lower()


def _text(mail: Mail) -> str:
    return plain_text(parse(mail.raw)).lower()
