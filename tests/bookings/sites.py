"""Another site on a real socket: a calendar that bookings follows, well or badly behaved."""

import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, date, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from nexus_bookings.ics import Taken, render


class Site:
    """What it answers, and what it was asked."""

    def __init__(self) -> None:
        self.status = 200
        self.content = render("Elsewhere", [], stamped=datetime(2026, 1, 1, tzinfo=UTC))
        self.headers: dict[str, str] = {}
        self.etag: str | None = None
        self.seconds = 0.0
        """How long it thinks."""
        self.asked: list[Mapping[str, str]] = []
        """The headers of each request."""
        self.clients: set[tuple[str, int]] = set()
        """The connections on which it was asked."""
        site = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                site.asked.append(dict(self.headers))
                site.clients.add(self.client_address)
                time.sleep(site.seconds)
                unchanged = site.etag is not None and self.headers.get("If-None-Match") == site.etag
                self.send_response(304 if unchanged else site.status)
                for name, value in site.headers.items():
                    self.send_header(name, value)
                if site.etag is not None:
                    self.send_header("ETag", site.etag)
                self.send_header("Content-Length", str(0 if unchanged else len(site.content)))
                self.end_headers()
                if not unchanged:
                    self.wfile.write(site.content)

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002 (its parent's signature)
                """Quiet."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}/listing.ics"

    def takes(self, *stays: tuple[str, date, date]) -> None:
        """Its calendar from now on: UID, first night, the day after the last."""
        taken = [Taken(uid, first, end, "Reserved") for uid, first, end in stays]
        self.content = render("Elsewhere", taken, stamped=datetime(2026, 1, 1, tzinfo=UTC))

    @contextmanager
    def open(self) -> Iterator["Site"]:
        """Until the block ends."""
        thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        thread.start()
        try:
            yield self
        finally:
            self._server.shutdown()
            self._server.server_close()
            thread.join()
