"""SMTP: hand a finished message to the mail server, and say whether a refusal is final. `sending.send` calls it."""

import socket
from email.message import EmailMessage
from email.utils import parseaddr
from urllib.parse import unquote, urlsplit

import aiosmtplib

from nexus_worker.failures import Permanent

_TIMEOUT = 10.0
"""Seconds for each step of the conversation."""


class Mailer:
    """One connection per mail: a mail server may close an idle one, and then nobody knows whether a mail went."""

    def __init__(self, url: str, sender: str) -> None:
        parts = urlsplit(url)
        if parts.scheme not in ("smtp", "smtps") or not parts.hostname:
            raise ValueError("NEXUS_SMTP_URL must begin with smtp://host or smtps://host")
        self.sender = sender
        self.domain = parseaddr(sender)[1].partition("@")[2]
        if not self.domain:
            raise ValueError("NEXUS_MAIL_FROM must hold an address")
        self._host, self._port = parts.hostname, parts.port
        self._username = unquote(parts.username) if parts.username else None
        self._password = unquote(parts.password) if parts.password else None
        self._tls = parts.scheme == "smtps"
        # None: when the server offers it. A password is never sent in the clear.
        self._start_tls = True if self._username and not self._tls else None

    async def send(self, message: EmailMessage) -> None:
        """Return when the mail server has taken responsibility. Raises `Permanent` if it never will (5xx)."""
        try:
            await aiosmtplib.send(
                message,
                hostname=self._host,
                port=self._port,
                username=self._username,
                password=self._password,
                use_tls=self._tls,
                start_tls=False if self._tls else self._start_tls,
                local_hostname=socket.gethostname(),
                timeout=_TIMEOUT,
            )
        except (aiosmtplib.SMTPRecipientsRefused, aiosmtplib.SMTPResponseException) as exc:
            # Neither the text nor the arguments of these go further: they quote the recipient's address.
            code = exc.recipients[0].code if isinstance(exc, aiosmtplib.SMTPRecipientsRefused) else exc.code
            reason = f"the mail server refused the mail with {code} ({type(exc).__name__})"
            raise (Permanent(reason) if _is_final(exc, code) else OSError(reason)) from None


def _is_final(exc: Exception, code: int) -> bool:
    # A refused login, greeting or sender is about us, not about this mail: it will be put right, and the mail can wait.
    about_us = (
        aiosmtplib.SMTPAuthenticationError,
        aiosmtplib.SMTPHeloError,
        aiosmtplib.SMTPConnectError,
        aiosmtplib.SMTPSenderRefused,
    )
    return code >= 500 and not isinstance(exc, about_us)
