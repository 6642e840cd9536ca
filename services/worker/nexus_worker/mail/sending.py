"""From a job to a mail in the mail server's hands. Every reaction that mails, in the modules beside this, ends here."""

from datetime import UTC, datetime
from email import policy
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import Policy
from email.utils import format_datetime
from typing import Any
from uuid import UUID

import structlog
from jinja2 import Environment, PackageLoader, StrictUndefined, select_autoescape
from nexus_kit import context

from nexus_worker.failures import Permanent
from nexus_worker.job import Job
from nexus_worker.mail import words
from nexus_worker.mail.people import AccountClosed, OneTimeToken, Purpose, Recipient, one_time_token, recipient

log = structlog.get_logger(__name__)

_templates = Environment(
    loader=PackageLoader("nexus_worker", "mail/templates"),
    autoescape=select_autoescape(("html",)),
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)
_templates.filters.update(money=words.money, day=words.day, moment=words.moment, line=words.one_line)


class Unfolded(str):
    """The value of a header that stays on one line: the standard library would encode an address longer than that."""

    name: str

    def __new__(cls, name: str, value: str) -> "Unfolded":
        """`name` is the header's: the mark by which the library knows that the value is ready."""
        made = super().__new__(cls, words.one_line(value))
        made.name = name
        return made

    def fold(self, *, policy: Policy) -> str:
        """As it is."""
        return f"{self.name}: {self}{policy.linesep}"


async def send(job: Job[Any], *, to: UUID, link_to: Purpose | None = None, unsubscribe: str | None = None) -> None:
    """Mail the user `to` with the templates in the folder named like the reaction. The last thing a reaction does.

    `unsubscribe` is the address that stops such mails by a POST alone: in mails that come again and again.
    """
    auth = job.tools.services["auth"]
    try:
        person = await recipient(auth, to)
        token = await one_time_token(auth, to, link_to) if link_to else None
    except AccountClosed:
        log.info("nobody to mail: the account is closed")
        return
    await job.tools.mailer.send(compose(job, person, token, unsubscribe))


def compose(
    job: Job[Any], person: Recipient, token: OneTimeToken | None = None, unsubscribe: str | None = None
) -> EmailMessage:
    """The finished message. Its Message-ID follows from event and reaction.

    So if the process dies after the mail server accepted it and before the inbox row was committed, the second copy
    carries the same Message-ID, by which mail programs and people recognise a duplicate.
    """
    given = {"fact": job.fact, "recipient": person, "token": token, "public_url": job.tools.public_url}
    given["unsubscribe"] = unsubscribe
    subject, text, html = (
        _templates.get_template(f"{job.reaction}/{part}").render(given)
        for part in ("subject.txt", "body.txt", "body.html")
    )
    message = EmailMessage(policy=policy.SMTP)
    message["From"] = job.tools.mailer.sender
    message["To"] = _address(person)
    message["Subject"] = words.one_line(subject)
    message["Date"] = format_datetime(datetime.now(UTC))
    message["Message-ID"] = f"<{job.event.id}.{job.reaction}@{job.tools.mailer.domain}>"
    message["Auto-Submitted"] = "auto-generated"
    if unsubscribe is not None:  # RFC 8058
        message["List-Unsubscribe"] = Unfolded("List-Unsubscribe", f"<{unsubscribe}>")
        message["List-Unsubscribe-Post"] = "List-Unsubscribe=One-Click"
    for name, value in context.outgoing_headers().items():
        message[name] = value
    message.set_content(text, cte="quoted-printable")
    message.add_alternative(html, subtype="html", cte="quoted-printable")
    return message


def _address(person: Recipient) -> Address:
    try:
        return Address(words.one_line(person.full_name), addr_spec=person.email)
    except Exception as exc:  # noqa: BLE001
        # The standard library raises half a dozen unrelated types here, and each quotes the address.
        raise Permanent(f"the address of the recipient cannot be written in a header ({type(exc).__name__})") from None
