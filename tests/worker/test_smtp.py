"""What a mail server's answer means: taken, later, or never. Its text, which quotes addresses, goes nowhere."""

from collections.abc import Iterator
from contextlib import contextmanager
from email.message import EmailMessage
from typing import Any

import pytest
from aiosmtpd.controller import Controller
from nexus_worker.failures import Permanent
from nexus_worker.mail.smtp import Mailer

from tests.servers import free_port

SENDER = "Nexus <no-reply@nexus.test>"


@pytest.mark.parametrize(
    ("answer", "failure"),
    [("550 5.1.1 no mailbox guest@example.com", Permanent), ("451 4.3.0 guest@example.com: come back later", OSError)],
)
async def test_a_refused_recipient_is_final_or_not_by_the_servers_code(answer: str, failure: type[Exception]) -> None:
    with answering(answer) as url, pytest.raises(failure) as refused:
        await Mailer(url, SENDER).send(a_mail())

    assert "guest@example.com" not in str(refused.value)
    assert refused.value.__suppress_context__


async def test_an_absent_server_is_worth_another_try() -> None:
    with pytest.raises(OSError):  # noqa: PT011 - that it is no Permanent is the point
        await Mailer(f"smtp://127.0.0.1:{free_port()}", SENDER).send(a_mail())


async def test_a_password_is_not_sent_in_the_clear() -> None:
    with answering("250 OK") as url, pytest.raises(Exception, match="STARTTLS"):
        await Mailer(url.replace("smtp://", "smtp://user:secret@"), SENDER).send(a_mail())


@pytest.mark.parametrize(("url", "sender"), [("http://mail", SENDER), ("smtp://", SENDER), ("smtp://mail", "Nexus")])
def test_settings_that_cannot_work_stop_the_worker_at_its_start(url: str, sender: str) -> None:
    with pytest.raises(ValueError, match="NEXUS_"):
        Mailer(url, sender)


def a_mail() -> EmailMessage:
    mail = EmailMessage()
    mail["From"], mail["To"], mail["Subject"] = SENDER, "Gebre <guest@example.com>", "Hello"
    mail.set_content("Hello")
    return mail


@contextmanager
def answering(answer: str) -> Iterator[str]:
    """A mail server with one answer to every recipient."""

    class OneAnswer:
        async def handle_RCPT(self, server: Any, session: Any, envelope: Any, address: str, options: Any) -> str:  # noqa: N802
            return answer

    controller = Controller(OneAnswer(), hostname="127.0.0.1", port=free_port(), server_hostname="localhost")
    controller.start()
    try:
        yield f"smtp://127.0.0.1:{controller.port}"
    finally:
        controller.stop()
