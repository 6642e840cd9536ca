"""Run PostgreSQL as somebody else when root starts it: its tools refuse to run as root.

`postgres.py` calls this. An ordinary user is left alone: the server runs as that user.
"""

import os
import pwd
import stat
from pathlib import Path
from typing import TypedDict


class Identity(TypedDict, total=False):
    """Keyword arguments of `subprocess.Popen`; empty means the current account."""

    user: int
    group: int
    extra_groups: list[int]


def server_identity() -> Identity:
    """Who runs the database server: `nobody`, with none of root's groups, when root starts it."""
    if os.geteuid() != 0:
        return {}
    entry = pwd.getpwnam("nobody")
    return {"user": entry.pw_uid, "group": entry.pw_gid, "extra_groups": []}


def hand_over(directory: Path) -> None:
    """Give `directory`, and all it holds, to the server's account, and let that account walk down to it.

    Ancestors get the search bit for others and nothing more: their contents stay unlisted and unreadable.
    """
    identity = server_identity()
    if not identity:
        return
    for path in [directory, *directory.rglob("*")]:
        os.chown(path, identity["user"], identity["group"], follow_symlinks=False)
    allow_search(directory)


def allow_search(path: Path) -> None:
    """Let the server's account pass through every folder above `path`."""
    if not server_identity():
        return
    for ancestor in path.resolve().parents:
        mode = ancestor.stat().st_mode
        if not mode & stat.S_IXOTH:
            ancestor.chmod(stat.S_IMODE(mode) | stat.S_IXOTH)
