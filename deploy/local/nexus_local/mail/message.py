"""A mail as Mailpit's API shows it: the summary of a list, and the whole message.

`maildir` keeps summaries, `api` and `pages` render messages. Names and types are those of Mailpit's Go structs.
"""

import hashlib
import html
import re
from datetime import UTC, datetime
from email import message_from_bytes, policy
from email.message import EmailMessage
from typing import Any

JsonObject = dict[str, Any]
SNIPPET = 250


def parse(raw: bytes) -> EmailMessage:
    """The mail as an object; headers decoded."""
    message = message_from_bytes(raw, policy=policy.default)
    assert isinstance(message, EmailMessage)
    return message


def summarise(mail_id: str, raw: bytes, *, read: bool) -> JsonObject:
    """Mailpit's `MessageSummary`."""
    message = parse(raw)
    _, attachments = _files(message)
    return {
        "ID": mail_id,
        **_headers(message),
        "Read": read,
        "Created": _rfc3339(_arrival(mail_id)),
        "Size": len(raw),
        "Attachments": len(attachments),
        "Snippet": " ".join(plain_text(message).split())[:SNIPPET],
        "Tags": [],
    }


def describe(mail_id: str, raw: bytes) -> JsonObject:
    """Mailpit's `Message`."""
    message = parse(raw)
    inline, attachments = _files(message)
    date = message["Date"].datetime if message["Date"] else None
    return {
        "ID": mail_id,
        **_headers(message),
        "ReturnPath": str(message.get("Return-Path", "")).strip("<> "),
        "Date": _rfc3339(date or _arrival(mail_id)),
        "Tags": [],
        "Text": _body(message, "plain"),
        "HTML": _body(message, "html"),
        "Size": len(raw),
        "Inline": inline,
        "Attachments": attachments,
    }


def plain_text(message: EmailMessage) -> str:
    """What the mail says: its text part, or its HTML part without the tags."""
    if text := _body(message, "plain"):
        return text
    without_tags = re.sub(r"(?is)<(style|script|head)\b.*?</\1>|<[^>]*>", " ", _body(message, "html"))
    return html.unescape(without_tags)


def addresses(message: EmailMessage, header: str) -> list[JsonObject]:
    """The people of an address header, as `{"Name", "Address"}`."""
    return [
        {"Name": person.display_name, "Address": person.addr_spec}
        for value in message.get_all(header, [])
        for person in value.addresses
    ]


def _headers(message: EmailMessage) -> JsonObject:
    """The fields that a summary and a message share."""
    return {
        "MessageID": str(message.get("Message-ID", "")).strip("<> "),
        "From": next(iter(addresses(message, "From")), None),
        "To": addresses(message, "To"),
        "Cc": addresses(message, "Cc"),
        "Bcc": addresses(message, "Bcc"),
        "ReplyTo": addresses(message, "Reply-To"),
        "Subject": str(message.get("Subject", "")).strip(),  # a folded one begins with a space
    }


def _body(message: EmailMessage, subtype: str) -> str:
    part = message.get_body((subtype,))
    return str(part.get_content()) if part else ""


def _files(message: EmailMessage) -> tuple[list[JsonObject], list[JsonObject]]:
    """The parts that are neither the text nor the HTML: inline ones (images of the HTML), and attachments."""
    bodies = [message.get_body(("plain",)), message.get_body(("html",))]
    inline: list[JsonObject] = []
    attachments: list[JsonObject] = []
    for number, part in enumerate(message.walk()):
        if part.is_multipart() or any(part is body for body in bodies):
            continue
        is_attached = part.get_content_disposition() == "attachment" or part["Content-ID"] is None
        (attachments if is_attached else inline).append(_file(str(number), part))
    return inline, attachments


def _file(part_id: str, part: EmailMessage) -> JsonObject:
    content = part.get_payload(decode=True)
    assert isinstance(content, bytes)
    return {
        "PartID": part_id,
        "FileName": part.get_filename() or "",
        "ContentType": part.get_content_type(),
        "ContentID": str(part.get("Content-ID", "")).strip("<> "),
        "Size": len(content),
        "Checksums": {
            "MD5": hashlib.md5(content, usedforsecurity=False).hexdigest(),
            "SHA1": hashlib.sha1(content, usedforsecurity=False).hexdigest(),
            "SHA256": hashlib.sha256(content).hexdigest(),
        },
    }


def _arrival(mail_id: str) -> datetime:
    return datetime.fromtimestamp(int(mail_id.partition("-")[0]) / 1e9, UTC)


def _rfc3339(moment: datetime) -> str:
    aware = moment if moment.tzinfo else moment.replace(tzinfo=UTC)  # "-0000" means UTC, place unknown
    return aware.isoformat().replace("+00:00", "Z")
