"""The services that reactions call, as small real HTTP servers: internal routes, and `/internal/events`.

A test makes them refuse, fail or go away.
"""

import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from uuid import UUID, uuid4

from nexus_kit.testing import INTERNAL_SECRET
from nexus_kit.tokens import verify_service_token

TOKEN = "gq3pAa8gG8b2Qf0mE0K5m0bqSZr8o3b7qE0mY6T1n2c"


@dataclass
class Peer:
    """One service: what it knows, what it is told to answer, what it was sent."""

    name: str
    url: str = ""
    users: dict[UUID, dict[str, str]] = field(default_factory=dict)
    closed: set[UUID] = field(default_factory=set)
    """Accounts that were closed and erased."""
    stopped: set[UUID] = field(default_factory=set)
    """Saved searches about which nobody wants mails any more."""
    failing_with: int | None = None
    """The status of every answer, while set."""
    answers_after: float = 0.0
    """Seconds that it takes to answer."""
    delivered: list[tuple[dict[str, str], dict[str, Any]]] = field(default_factory=list, repr=False)
    """Headers and CloudEvent of each delivery that was taken."""
    batches: list[int] = field(default_factory=list)
    """How many events each of its deliveries brought."""
    seconds_for_each: float = 0.0
    """How long it takes to apply one event."""
    takes_batches: bool = True
    """False: it is of a version that knows only one event at a time."""
    poison: dict[UUID, int] = field(default_factory=dict)
    """Subjects whose events it cannot apply, and the status with which it says so."""
    refused: int = 0
    photos: dict[UUID, list[tuple[str, Any]]] = field(default_factory=dict)
    """What was said of each photo: its outcome, and the body that came with it."""
    removed_photos: set[UUID] = field(default_factory=set)

    def user(self, full_name: str = "Hanna Host") -> UUID:
        """Somebody new, with an address of their own."""
        user_id = uuid4()
        self.users[user_id] = {"email": f"{user_id.hex[:12]}@example.com", "full_name": full_name}
        return user_id

    def address(self, user_id: UUID) -> str:
        """Where that user's mail goes."""
        return self.users[user_id]["email"]

    def delivered_about(self, subject: UUID) -> list[dict[str, Any]]:
        """The events about one aggregate that were taken."""
        return [event for _, event in list(self.delivered) if event["subject"] == str(subject)]

    def answer(  # noqa: PLR0911 - one for each route
        self, method: str, path: str, headers: dict[str, str], body: bytes
    ) -> tuple[int, Any]:
        """Status and JSON for one call."""
        verify_service_token(headers["authorization"].removeprefix("Bearer "), INTERNAL_SECRET, audience=self.name)
        time.sleep(self.answers_after)
        if self.failing_with:
            self.refused += 1
            return self.failing_with, {"code": "as_told"}
        match path.strip("/").split("/"):
            case ["internal", "events"]:
                return self._take(headers, json.loads(body))
            case ["internal", "photos", photo_id]:
                return (404, {"code": "not_found"}) if UUID(photo_id) in self.removed_photos else (204, None)
            case ["internal", "photos", photo_id, outcome]:
                self.photos.setdefault(UUID(photo_id), []).append((outcome, json.loads(body or b"null")))
                return (404, {"code": "not_found"}) if UUID(photo_id) in self.removed_photos else (204, None)
            case ["internal", "users", user_id, *_] if UUID(user_id) in self.closed:
                return 410, {"code": "account_closed"}
            case ["internal", "users", user_id]:
                user = self.users.get(UUID(user_id))
                return (200, {"id": user_id, "email_verified": True, **user}) if user else (404, {"code": "not_found"})
            case ["internal", "users", _, "tokens"]:
                assert json.loads(body)["purpose"] in ("verify_email", "reset_password")
                return 201, {"token": TOKEN, "expires_at": "2026-12-07T11:30:00.000Z"}
            case ["internal", "saved-searches", search_id, "unsubscribe-token"]:
                assert method == "POST"
                return (410, {"code": "mails_stopped"}) if UUID(search_id) in self.stopped else (200, {"token": TOKEN})
        raise AssertionError(f"{self.name} was asked for {method} {path}")

    def _take(self, headers: dict[str, str], body: Any) -> tuple[int, Any]:
        """All that a delivery brings, or nothing."""
        is_batch = headers["content-type"] == "application/cloudevents-batch+json"
        assert is_batch or headers["content-type"] == "application/cloudevents+json"
        assert is_batch is isinstance(body, list)
        events = body if is_batch else [body]
        statuses = [self.poison[subject] for event in events if (subject := UUID(event["subject"])) in self.poison]
        time.sleep(self.seconds_for_each * len(events))
        if is_batch and not self.takes_batches:
            statuses.append(422)
        if statuses:
            self.refused += 1
            return statuses[0], {"code": "as_told"}
        self.batches.append(len(events))
        self.delivered += [(headers, event) for event in events]
        return 204, None


@contextmanager
def serving(peer: Peer) -> Iterator[Peer]:
    """The peer on a free port, until the block ends."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            headers = {name.lower(): value for name, value in self.headers.items()}
            status, content = peer.answer(self.command, self.path, headers, body)
            answer = b"" if content is None else json.dumps(content).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            if status != 204:
                self.send_header("Content-Length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        do_POST = do_GET  # noqa: N815

        def log_message(self, *_: Any) -> None:
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.daemon_threads = True
        peer.url = f"http://127.0.0.1:{server.server_port}"
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield peer
        server.shutdown()
        thread.join()
