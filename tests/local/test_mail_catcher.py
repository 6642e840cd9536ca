"""The mail catcher as its users meet it: a real process, mail sent over SMTP, read through Mailpit's API and the pages.

`nexus_local/mail` is the subject.
"""

import smtplib
from collections.abc import Iterator
from email.message import EmailMessage
from pathlib import Path

import httpx
import pytest

from tests.local.simulators import MailCatcher, running_mail_catcher


@pytest.fixture(scope="module")
def catcher(tmp_path_factory: pytest.TempPathFactory) -> Iterator[MailCatcher]:
    with running_mail_catcher(tmp_path_factory.mktemp("mail")) as running:
        yield running


@pytest.fixture
def api(catcher: MailCatcher) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=catcher.url) as client:
        client.delete("/api/v1/messages")
        yield client


def deliver(catcher: MailCatcher, message: EmailMessage, to: list[str] | None = None) -> None:
    with smtplib.SMTP("127.0.0.1", catcher.smtp_port, timeout=10) as smtp:
        smtp.send_message(message, from_addr="bounces@nexus.example", to_addrs=to)


def mail(subject: str = "Your booking is confirmed", to: str = "Gétu Guest <guest@nexus.example>") -> EmailMessage:
    message = EmailMessage()
    message["From"] = "Nexus <no-reply@nexus.localhost>"
    message["To"] = to
    message["Subject"] = subject
    message["Message-ID"] = "<confirmed-1@nexus.localhost>"
    message.set_content("Selam! Confirm here: https://localhost:8443/verify?token=abc&next=1.\n")
    message.add_alternative("<html><head></head><body><h1>Selam!</h1><script>alert(1)</script></body></html>", "html")
    return message


def test_a_sent_mail_is_listed_as_mailpit_would_list_it(catcher: MailCatcher, api: httpx.Client) -> None:
    deliver(catcher, mail("Ihr Zimmer in Bahir Dar ist bestätigt"))

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
    assert summary["Subject"] == "Ihr Zimmer in Bahir Dar ist bestätigt"
    assert summary["From"] == {"Name": "Nexus", "Address": "no-reply@nexus.localhost"}
    assert summary["To"] == [{"Name": "Gétu Guest", "Address": "guest@nexus.example"}]
    assert summary["MessageID"] == "confirmed-1@nexus.localhost"
    assert summary["Snippet"].startswith("Selam! Confirm here:")
    assert (summary["Cc"], summary["Bcc"], summary["ReplyTo"], summary["Tags"]) == ([], [], [], [])
    assert (summary["Read"], summary["Attachments"]) == (False, 0)
    assert summary["Created"].endswith("Z")


def test_reading_a_mail_gives_both_its_parts_and_marks_it_read(catcher: MailCatcher, api: httpx.Client) -> None:
    deliver(catcher, mail())

    latest = api.get("/api/v1/message/latest").json()

    assert "verify?token=abc&next=1" in latest["Text"]
    assert "<h1>Selam!</h1>" in latest["HTML"]
    assert latest["ReturnPath"] == "bounces@nexus.example"
    assert api.get("/api/v1/messages").json()["unread"] == 0
    assert api.get(f"/api/v1/message/{latest['ID']}").json() == latest


def test_attachments_and_inline_images_are_described(catcher: MailCatcher, api: httpx.Client) -> None:
    message = mail()
    html_part = message.get_body(("html",))
    assert html_part is not None
    html_part.add_related(b"\x89PNG", "image", "png", cid="<logo@nexus>", disposition="inline")
    message.add_attachment(b"BEGIN:VCALENDAR", "text", "calendar", filename="stay.ics")
    deliver(catcher, message)

    latest = api.get("/api/v1/message/latest").json()

    assert [(file["FileName"], file["ContentType"], file["Size"]) for file in latest["Attachments"]] == [
        ("stay.ics", "text/calendar", 15)
    ]
    assert [(file["ContentID"], file["ContentType"]) for file in latest["Inline"]] == [("logo@nexus", "image/png")]
    assert api.get("/api/v1/messages").json()["messages"][0]["Attachments"] == 1


def test_a_recipient_that_no_header_names_appears_as_bcc(catcher: MailCatcher, api: httpx.Client) -> None:
    deliver(catcher, mail(), to=["guest@nexus.example", "auditor@nexus.example"])

    latest = api.get("/api/v1/message/latest").json()

    assert latest["Bcc"] == [{"Name": "", "Address": "auditor@nexus.example"}]
    assert api.get(f"/api/v1/message/{latest['ID']}/headers").json()["Bcc"] == ["auditor@nexus.example"]
    assert "Subject: Your booking is confirmed" in api.get("/api/v1/message/latest/raw").text


def test_mails_come_newest_first_and_in_pages(catcher: MailCatcher, api: httpx.Client) -> None:
    for number in range(5):
        deliver(catcher, mail(f"Mail {number}"))

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
    catcher: MailCatcher, api: httpx.Client, query: str, found: set[str]
) -> None:
    deliver(catcher, mail("Your booking"))
    deliver(catcher, mail("Welcome"))
    deliver(catcher, mail("A new booking", to="host@nexus.example"))

    result = api.get("/api/v1/search", params={"query": query}).json()

    assert {message["Subject"] for message in result["messages"]} == found
    assert (result["messages_count"], result["total"]) == (len(found), 3)


def test_deleting_some_mails_and_then_all_empties_the_folder(catcher: MailCatcher, api: httpx.Client) -> None:
    for subject in ("one", "two", "three"):
        deliver(catcher, mail(subject))
    oldest = api.get("/api/v1/messages").json()["messages"][-1]["ID"]

    assert api.request("DELETE", "/api/v1/messages", json={"IDs": [oldest]}).text == "ok"
    assert [m["Subject"] for m in api.get("/api/v1/messages").json()["messages"]] == ["three", "two"]

    assert api.delete("/api/v1/messages").text == "ok"
    assert api.get("/api/v1/messages").json()["total"] == 0
    assert api.get("/api/v1/message/latest").status_code == 404


def test_a_killed_catcher_has_every_mail_that_it_acknowledged(tmp_path: Path) -> None:
    with running_mail_catcher(tmp_path) as first:
        for number in range(20):
            deliver(first, mail(f"Mail {number}"))
        httpx.get(f"{first.url}/api/v1/message/latest")
        first.process.kill()

    with running_mail_catcher(tmp_path) as second:
        listing = httpx.get(f"{second.url}/api/v1/messages").json()

    assert [message["Subject"] for message in listing["messages"]] == [f"Mail {n}" for n in reversed(range(20))]
    assert (listing["total"], listing["unread"]) == (20, 19)


def test_the_pages_show_a_hostile_mail_without_running_it(catcher: MailCatcher, api: httpx.Client) -> None:
    deliver(catcher, mail("<script>alert('subject')</script>"))
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


def test_a_mail_that_cannot_be_parsed_is_refused_and_harms_nobody(catcher: MailCatcher, api: httpx.Client) -> None:
    broken = b"Subject: odd\r\nContent-Type: text/plain; charset=martian\r\n\r\nhello\r\n"

    with smtplib.SMTP("127.0.0.1", catcher.smtp_port, timeout=10) as smtp, pytest.raises(smtplib.SMTPDataError):
        smtp.sendmail("a@nexus.example", ["b@nexus.example"], broken)

    deliver(catcher, mail())
    assert api.get("/api/v1/messages").json()["total"] == 1


@pytest.mark.parametrize("path", ["/api/v1/message/nope", "/api/v1/message/..%2f..%2fetc/raw", "/message/nope"])
def test_an_unknown_mail_is_not_found(api: httpx.Client, path: str) -> None:
    assert api.get(path).status_code == 404
