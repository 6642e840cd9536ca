"""The object store: the same in a folder and in S3, and one error for all ways in which it does not answer."""

import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit
from xml.sax.saxutils import escape

import pytest
from nexus_kit.errors import Unavailable
from nexus_kit.objects import Objects


class S3(BaseHTTPRequestHandler):
    """As much of S3's protocol as the store needs, for one bucket in memory."""

    protocol_version = "HTTP/1.1"
    objects: dict[str, bytes]
    broken = False

    def do_PUT(self) -> None:
        self.objects[self._key()] = self.rfile.read(int(self.headers["Content-Length"]))
        self._answer(200, headers={"ETag": '"1"'})

    def do_GET(self) -> None:
        query = parse_qs(urlsplit(self.path).query)
        if "list-type" in query:
            return self._answer(200, self._listing(query.get("prefix", [""])[0]))
        found = self.objects.get(self._key())
        return self._answer(404) if found is None else self._answer(200, found, {"ETag": '"1"'})

    def do_POST(self) -> None:
        wanted = re.findall(r"<Key>(.*?)</Key>", self.rfile.read(int(self.headers["Content-Length"])).decode())
        for key in wanted:
            self.objects.pop(f"/bucket/{key}", None)
        deleted = "".join(f"<Deleted><Key>{key}</Key></Deleted>" for key in wanted)
        self._answer(200, f"<DeleteResult>{deleted}</DeleteResult>".encode())

    def _key(self) -> str:
        return urlsplit(self.path).path

    def _listing(self, prefix: str) -> bytes:
        now = datetime.now(UTC).isoformat()
        keys = [key.removeprefix("/bucket/") for key in sorted(self.objects)]
        contents = "".join(
            f"<Contents><Key>{escape(key)}</Key><LastModified>{now}</LastModified><Size>1</Size></Contents>"
            for key in keys
            if key.startswith(prefix)
        )
        return f"<ListBucketResult><IsTruncated>false</IsTruncated>{contents}</ListBucketResult>".encode()

    def _answer(self, status: int, body: bytes = b"", headers: dict[str, str] | None = None) -> None:
        assert self.headers["Authorization"].startswith("AWS4-HMAC-SHA256 Credential=the-key/")
        status, body = (500, b"") if self.broken else (status, body)
        self.send_response(status)
        always = {"Content-Length": str(len(body)), "Last-Modified": "Sat, 21 Nov 2026 03:00:00 GMT"}
        for name, value in {**always, **(headers or {})}.items():
            if not (status == 204 and name == "Content-Length"):
                self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: Any) -> None:
        """Say nothing."""


@contextmanager
def s3() -> Iterator[tuple[str, type[S3]]]:
    """Its address, and what it holds."""
    kind = type("Bucket", (S3,), {"objects": {}})
    with ThreadingHTTPServer(("127.0.0.1", 0), kind) as server:
        server.daemon_threads = True
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}", kind
        server.shutdown()
        thread.join()


@pytest.fixture
def bucket(monkeypatch: pytest.MonkeyPatch) -> Iterator[type[S3]]:
    """S3, told of by the usual variables."""
    with s3() as (url, kind):
        for name, value in {
            "AWS_ENDPOINT_URL": url,
            "AWS_REGION": "eu-north-1",
            "AWS_ACCESS_KEY_ID": "the-key",
            "AWS_SECRET_ACCESS_KEY": "the-secret",
        }.items():
            monkeypatch.setenv(name, value)
        yield kind


@pytest.fixture(params=["folder", "s3"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Objects:
    """One of each kind."""
    if request.param == "folder":
        return Objects((tmp_path / "not" / "made yet").as_uri())
    request.getfixturevalue("bucket")
    return Objects("s3://bucket/some/prefix")


async def keys(store: Objects) -> list[str]:
    return sorted([each["path"] async for page in store.pages() for each in page])


async def test_what_was_put_is_there_until_it_is_removed(store: Objects) -> None:
    await store.put("one/a.jpg", b"first")
    await store.put("one/a.jpg", b"second")
    await store.put("one/b.jpg", b"other")

    assert await store.read("one/a.jpg") == b"second"
    assert await keys(store) == ["one/a.jpg", "one/b.jpg"]

    await store.remove(["one/a.jpg", "one/never-was.jpg", "one/b.jpg"])
    assert await keys(store) == []


async def test_what_is_not_there_is_none(store: Objects) -> None:
    assert await store.get("nothing") is None
    assert await store.read("nothing") is None


async def test_a_bucket_holds_all_below_its_prefix(bucket: type[S3]) -> None:
    await Objects("s3://bucket/some/prefix").put("one/a.jpg", b"x")

    assert bucket.objects == {"/bucket/some/prefix/one/a.jpg": b"x"}


async def test_a_store_that_fails_is_unavailable(bucket: type[S3]) -> None:
    store = Objects("s3://bucket/some/prefix")
    bucket.broken = True

    with pytest.raises(Unavailable):
        await store.put("one", b"x")
    with pytest.raises(Unavailable):
        await store.read("one")
    with pytest.raises(Unavailable):
        await keys(store)


async def test_a_folder_that_cannot_be_written_to_is_unavailable(tmp_path: Path) -> None:
    store = Objects((tmp_path / "photos").as_uri())
    (tmp_path / "photos").rmdir()
    (tmp_path / "photos").write_text("not a folder")

    with pytest.raises(Unavailable):
        await store.put("one", b"x")
    with pytest.raises(Unavailable):
        await store.remove(["one"])
