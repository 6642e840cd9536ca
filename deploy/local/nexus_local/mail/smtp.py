"""SMTP: accept any mail for anybody, and acknowledge it once it is stored.

`app` listens with `protocol`, on the event loop that also serves HTTP.
"""

import asyncio
import logging

from aiosmtpd.smtp import SMTP, Envelope, Session

from nexus_local.mail.maildir import Maildir
from nexus_local.mail.message import addresses, parse

LARGEST_MAIL = 25 * 1024 * 1024
log = logging.getLogger("nexus.mail")


class Catcher:
    """aiosmtpd's handler: its method names are aiosmtpd's."""

    def __init__(self, maildir: Maildir) -> None:
        self._maildir = maildir

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802
        """Store the mail. An exception from parsing becomes aiosmtpd's permanent error, with its reason."""
        assert isinstance(envelope.content, bytes)
        raw = with_envelope(envelope.mail_from or "", envelope.rcpt_tos, envelope.content)
        try:
            mail_id = await self._maildir.add(raw)
        except OSError as problem:
            log.exception("cannot store a mail for %s", ", ".join(envelope.rcpt_tos))
            return f"451 4.3.0 Not stored, try again: {problem.strerror}"
        log.info("caught %s for %s", mail_id, ", ".join(envelope.rcpt_tos))
        return f"250 2.0.0 Ok: queued as {mail_id}"


def with_envelope(sender: str, recipients: list[str], content: bytes) -> bytes:
    """The mail with its envelope as headers, since a file holds only headers.

    Recipients that no header names become a Bcc line, as Mailpit does.
    """
    message = parse(content)
    named = {person["Address"].lower() for header in ("To", "Cc", "Bcc") for person in addresses(message, header)}
    hidden = [recipient for recipient in recipients if recipient.lower() not in named]
    envelope = f"Return-Path: <{sender}>\r\n" + (f"Bcc: {', '.join(hidden)}\r\n" if hidden else "")
    return envelope.encode() + content


def protocol(maildir: Maildir, loop: asyncio.AbstractEventLoop) -> SMTP:
    """One SMTP conversation."""
    return SMTP(
        Catcher(maildir),
        data_size_limit=LARGEST_MAIL,
        enable_SMTPUTF8=True,
        hostname="localhost",  # without one, aiosmtpd asks the DNS
        ident="Nexus mail catcher",
        loop=loop,
    )
