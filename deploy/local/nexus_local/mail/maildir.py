"""The Maildir: one file per mail, `new/` until somebody reads it, then `cur/` with the flag S.

`smtp` adds to it, `api` and `pages` read it; the files are the only state, so a restart finds everything again.
"""

import asyncio
import os
import secrets
import time
from dataclasses import dataclass
from pathlib import Path

from nexus_local.mail.message import JsonObject, summarise

READ = ":2,S"


@dataclass(slots=True)
class Mail:
    """One stored mail: where it is, and the summary that lists show."""

    path: Path
    summary: JsonObject

    @property
    def raw(self) -> bytes:
        return self.path.read_bytes()


class Maildir:
    """The stored mails by their ID. IDs sort by the time of arrival."""

    def __init__(self, folder: Path) -> None:
        self._tmp, self._new, self._cur = (folder / name for name in ("tmp", "new", "cur"))
        for part in (self._tmp, self._new, self._cur):
            part.mkdir(parents=True, exist_ok=True)
        for unfinished in self._tmp.iterdir():  # never acknowledged, so its sender still has it
            unfinished.unlink()
        self._last_ns = 0
        self._mails: dict[str, Mail] = {}
        for path in [*self._new.iterdir(), *self._cur.iterdir()]:
            mail_id = path.name.partition(":")[0]
            self._mails[mail_id] = Mail(path, summarise(mail_id, path.read_bytes(), read=path.name.endswith(READ)))

    def __len__(self) -> int:
        return len(self._mails)

    @property
    def unread(self) -> int:
        """How many mails nobody has opened."""
        return sum(not mail.summary["Read"] for mail in self._mails.values())

    def newest_first(self) -> list[Mail]:
        """Every mail."""
        return [self._mails[mail_id] for mail_id in sorted(self._mails, reverse=True)]

    def get(self, mail_id: str) -> Mail | None:
        """The mail with this ID, the newest one for `latest`, or None."""
        return self._mails.get(max(self._mails, default="") if mail_id == "latest" else mail_id)

    async def add(self, raw: bytes) -> str:
        """Store a mail and return its ID; it is on disk by then. An unparsable one raises and is not stored."""
        mail_id = self._next_id()
        summary = summarise(mail_id, raw, read=False)
        path = await asyncio.to_thread(self._write, mail_id, raw)
        self._mails[mail_id] = Mail(path, summary)
        return mail_id

    def mark_read(self, mail: Mail) -> None:
        """Move the mail to `cur/`, as a mail reader would."""
        if not mail.summary["Read"]:
            mail.path = mail.path.rename(self._cur / f"{mail.summary['ID']}{READ}")
            mail.summary["Read"] = True

    def delete(self, mail_ids: list[str] | None = None) -> None:
        """Delete these mails, or all."""
        for mail_id in list(self._mails) if mail_ids is None else mail_ids:
            if mail := self._mails.pop(mail_id, None):
                mail.path.unlink()

    def _next_id(self) -> str:
        # Two mails of one nanosecond, or a clock set back, must not change the order of arrival.
        self._last_ns = max(time.time_ns(), self._last_ns + 1)
        return f"{self._last_ns}-{secrets.token_hex(4)}"

    def _write(self, mail_id: str, raw: bytes) -> Path:
        """Maildir's delivery: complete and synced in `tmp/`, then visible in `new/` in one step."""
        draft = self._tmp / mail_id
        with draft.open("wb") as file:
            file.write(raw)
            file.flush()
            os.fsync(file.fileno())
        path = draft.rename(self._new / mail_id)
        folder = os.open(self._new, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
        return path
