"""Which port each part of the suite listens on, and who is in the way of one that is taken.

`nexus up` asks before it starts anything, so that a busy port is named at once and never waited for.
"""

import errno
import socket
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass

import psutil

DEFAULT_PORTS: Mapping[str, int] = {
    "gateway": 8443,
    "gateway (redirect)": 8080,
    "auth": 8001,
    "listings": 8002,
    "bookings": 8003,
    "worker": 8004,
    "mail": 8025,
    "mail (smtp)": 1025,
    "payments": 8090,
    "postgres": 5433,
    "valkey": 6380,
}
HIGHEST_OFFSET = 65535 - max(DEFAULT_PORTS.values())


@dataclass(frozen=True)
class BusyPort:
    """A port that we need and somebody else holds."""

    wanted_by: str
    port: int
    holder: str
    """Who holds it, as far as this account may see."""

    def __str__(self) -> str:
        return f"port {self.port}, which {self.wanted_by} needs, is held by {self.holder}"


def with_offset(offset: int) -> dict[str, int]:
    """Every port of a suite that runs beside another one."""
    return {name: port + offset for name, port in DEFAULT_PORTS.items()}


def busy(ports: Mapping[str, int]) -> list[BusyPort]:
    """The ports that cannot be listened on now."""
    return [BusyPort(name, port, _holder(port)) for name, port in ports.items() if not _free(port)]


def _free(port: int) -> bool:
    with socket.socket() as probe:
        # Connections of an earlier run may still be in TIME_WAIT, which stops nobody.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
            probe.listen(1)
        except OSError as refused:
            if refused.errno in {errno.EADDRINUSE, errno.EACCES}:
                return False
            raise
    return True


def _holder(port: int) -> str:
    with suppress(psutil.Error, OSError):
        for connection in psutil.net_connections("tcp"):
            if connection.status == psutil.CONN_LISTEN and connection.laddr[1:] == (port,) and connection.pid:
                return f"{psutil.Process(connection.pid).name()} (pid {connection.pid})"
    return "a program of another account"
