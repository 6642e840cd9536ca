"""The mail catcher as its users meet it: a real process, mail sent over SMTP, read through Mailpit's API and the pages.

`nexus_local/mail` is the subject.
"""

import asyncio
import contextlib
import smtplib
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from email.message import EmailMessage
from pathlib import Path

import httpx
import pytest

from tests.servers import free_port

START_SECONDS = 20


@dataclass
class Catcher:
    """A running catcher: where it listens, and its process."""

    smtp_port: int
    url: str
    process: subprocess.Popen[bytes]

    def deliver(self, mail: EmailMessage, to: list[str] | None = None) -> None:
        with smtplib.SMTP("127.0.0.1", self.smtp_port, timeout=10) as smtp:
            smtp.send_message(mail, from_addr="bounces@nexus.example", to_addrs=to)


@contextlib.asynccontextmanager
async def running_catcher(data: Path) -> AsyncIterator[Catcher]:
    smtp_port, http_port = free_port(), free_port()
    arguments = ["--data", str(data), "--smtp-port", str(smtp_port), "--http-port", str(http_port)]
    process = subprocess.Popen([sys.executable, "-m", "nexus_local.mail", *arguments])
    try:
        url = f"http://127.0.0.1:{http_port}"
        await answers(f"{url}/readyz")
        yield Catcher(smtp_port, url, process)
    finally:
        process.terminate()
        process.wait(10)


async def answers(url: str) -> None:
    async with asyncio.timeout(START_SECONDS), httpx.AsyncClient() as client:
        while True:
            with contextlib.suppress(httpx.TransportError):
                if (await client.get(url)).status_code == 200:
                    return
            await asyncio.sleep(0.05)


@pytest.fixture
async def catcher(tmp_path: Path) -> AsyncIterator[Catcher]:
    async with running_catcher(tmp_path / "mail") as running:
        yield running


@pytest.fixture
def api(catcher: Catcher) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=catcher.url) as client:
        yield client


def mail(subject: str = "Your booking is confirmed", to: str = "Gétu Guest <guest@nexus.example>") -> EmailMessage:
    message = EmailMessage()
    message["From"] = "Nexus <no-reply@nexus.localhost>"
    message["To"] = to
    message["Subject"] = subject
    message["Message-ID"] = "<confirmed-1@nexus.localhost>"
    message.set_content("Selam! Confirm here: https://localhost:8443/verify?token=abc&next=1.\n")
    message.add_alternative("<html><head></head><body><h1>Selam!</h1><script>alert(1)</script></body></html>", "html")
    return message


def test_a_sent_mail_is_listed_as_mailpit_would_list_it(catcher: Catcher, api: httpx.Client) -> None:
    catcher.deliver(mail("Ihr Zimmer in Bahir Dar – bestätigt"))

    listing = api.get("/api/v1/messages").json()

    [summary] = listing.pop("messages")
    assert listing == {
        "total": 1,
        "unread": 1,
        "count": 1,
        "messages_count": 1,
        "messages_unread": 1,
        "start": 0,
        "tags": [],
    }
    assert summary["Subject"] == "Ihr Zimmer in Bahir Dar – bestätigt"
    assert summary["From"] == {"Name": "Nexus", "Address": "no-reply@nexus.localhost"}
    assert summary["To"] == [{"Name": "Gétu Guest", "Address": "guest@nexus.example"}]
    assert summary["MessageID"] == "confirmed-1@nexus.localhost"
    assert summary["Snippet"].startswith("Selam! Confirm here:")
    assert (summary["Cc"], summary["Bcc"], summary["ReplyTo"], summary["Tags"]) == ([], [], [], [])
    assert (summary["Read"], summary["Attachments"]) == (False, 0)
    assert summary["Created"].endswith("Z")


def test_reading_a_mail_gives_both_its_parts_and_marks_it_read(catcher: Catcher, api: httpx.Client) -> None:
    catcher.deliver(mail())

    latest = api.get("/api/v1/message/latest").json()

    assert "verify?token=abc&next=1" in latest["Text"]
    assert "<h1>Selam!</h1>" in latest["HTML"]
    assert latest["ReturnPath"] == "bounces@nexus.example"
    assert api.get("/api/v1/messages").json()["unread"] == 0
    assert api.get(f"/api/v1/message/{latest['ID']}").json() == latest


def test_attachments_and_inline_images_are_described(catcher: Catcher, api: httpx.Client) -> None:
    message = mail()
    html_part = message.get_body(("html",))
    assert html_part is not None
    html_part.add_related(b"\x89PNG", "image", "png", cid="<logo@nexus>", filename="logo.png")
    message.add_attachment(b"BEGIN:VCALENDAR", "text", "calendar", filename="stay.ics")
    catcher.deliver(message)

    latest = api.get("/api/v1/message/latest").json()

    assert [(file["FileName"], file["ContentType"], file["Size"]) for file in latest["Attachments"]] == [
        ("stay.ics", "text/calendar", 15)
    ]
    assert [(file["ContentID"], file["ContentType"]) for file in latest["Inline"]] == [("logo@nexus", "image/png")]
    assert api.get("/api/v1/messages").json()["messages"][0]["Attachments"] == 1


def test_a_recipient_that_no_header_names_appears_as_bcc(catcher: Catcher, api: httpx.Client) -> None:
    catcher.deliver(mail(), to=["guest@nexus.example", "auditor@nexus.example"])

    latest = api.get("/api/v1/message/latest").json()

    assert latest["Bcc"] == [{"Name": "", "Address": "auditor@nexus.example"}]
    assert api.get(f"/api/v1/message/{latest['ID']}/headers").json()["Bcc"] == ["auditor@nexus.example"]
    assert "Subject: Your booking is confirmed" in api.get("/api/v1/message/latest/raw").text


def test_mails_come_newest_first_and_in_pages(catcher: Catcher, api: httpx.Client) -> None:
    for number in range(5):
        catcher.deliver(mail(f"Mail {number}"))

    page = api.get("/api/v1/messages", params={"start": 1, "limit": 2}).json()

    assert [message["Subject"] for message in page["messages"]] == ["Mail 3", "Mail 2"]
    assert (page["start"], page["count"], page["total"]) == (1, 2, 5)


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("to:guest@nexus.example", {"Your booking", "Welcome"}),
        ("to:guest@nexus.example subject:booking", {"Your booking"}),
        ('subject:"new booking"', {"A new booking"}),
        ("subject:booking -to:host", {"Your booking"}),
        ("token=abc", {"Your booking", "Welcome", "A new booking"}),
        ("is:read", set()),
        ("from:somebody-else", set()),
    ],
)
def test_a_search_finds_the_mails_that_every_term_matches(
    catcher: Catcher, api: httpx.Client, query: str, found: set[str]
) -> None:
    catcher.deliver(mail("Your booking"))
    catcher.deliver(mail("Welcome"))
    catcher.deliver(mail("A new booking", to="host@nexus.example"))

    result = api.get("/api/v1/search", params={"query": query}).json()

    assert {message["Subject"] for message in result["messages"]} == found
    assert (result["messages_count"], result["total"]) == (len(found), 3)


def test_deleting_some_mails_and_then_all_empties_the_folder(catcher: Catcher, api: httpx.Client) -> None:
    for subject in ("one", "two", "three"):
        catcher.deliver(mail(subject))
    oldest = api.get("/api/v1/messages").json()["messages"][-1]["ID"]

    assert api.request("DELETE", "/api/v1/messages", json={"IDs": [oldest]}).text == "ok"
    assert [m["Subject"] for m in api.get("/api/v1/messages").json()["messages"]] == ["three", "two"]

    assert api.delete("/api/v1/messages").text == "ok"
    assert api.get("/api/v1/messages").json()["total"] == 0
    assert api.get("/api/v1/message/latest").status_code == 404


async def test_a_killed_catcher_has_every_mail_that_it_acknowledged(tmp_path: Path) -> None:
    async with running_catcher(tmp_path) as first:
        for number in range(20):
            first.deliver(mail(f"Mail {number}"))
        httpx.get(f"{first.url}/api/v1/message/latest")
        first.process.kill()

    async with running_catcher(tmp_path) as second:
        listing = httpx.get(f"{second.url}/api/v1/messages").json()

    assert [message["Subject"] for message in listing["messages"]] == [f"Mail {n}" for n in reversed(range(20))]
    assert (listing["total"], listing["unread"]) == (20, 19)


def test_the_pages_show_a_hostile_mail_without_running_it(catcher: Catcher, api: httpx.Client) -> None:
    catcher.deliver(mail("<script>alert('subject')</script>"))
    mail_id = api.get("/api/v1/messages").json()["messages"][0]["ID"]

    listing, page = api.get("/"), api.get(f"/message/{mail_id}")
    frame = api.get(f"/message/{mail_id}/html")

    assert "<script>" not in listing.text + page.text
    assert "default-src 'none'" in page.headers["Content-Security-Policy"]
    assert 'href="https://localhost:8443/verify?token=abc&amp;next=1"' in page.text
    assert '<head><base target="_blank">' in frame.text
    assert frame.headers["Content-Security-Policy"].startswith("sandbox allow-popups allow-popups-to-escape-sandbox;")
    assert "script-src" not in frame.headers["Content-Security-Policy"]
    assert "allow-scripts" not in frame.headers["Content-Security-Policy"] + page.text


def test_a_mail_that_cannot_be_parsed_is_refused_and_harms_nobody(catcher: Catcher, api: httpx.Client) -> None:
    broken = b"Subject: odd\r\nContent-Type: text/plain; charset=martian\r\n\r\nhello\r\n"

    with smtplib.SMTP("127.0.0.1", catcher.smtp_port, timeout=10) as smtp, pytest.raises(smtplib.SMTPDataError):
        smtp.sendmail("a@nexus.example", ["b@nexus.example"], broken)

    catcher.deliver(mail())
    assert api.get("/api/v1/messages").json()["total"] == 1


@pytest.mark.parametrize("path", ["/api/v1/message/nope", "/api/v1/message/..%2f..%2fetc/raw", "/message/nope"])
def test_an_unknown_mail_is_not_found(api: httpx.Client, path: str) -> None:
    assert api.get(path).status_code == 404
