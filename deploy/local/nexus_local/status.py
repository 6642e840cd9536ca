"""What `nexus status` shows: the supervisor's record, checked against what really answers now."""

import asyncio
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from nexus_local.processes import Process
from nexus_local.state import DataFolder, Record
from nexus_local.suite import DEMO_NAMES, Suite
from nexus_local.topology import topology

STORES = ("postgres", "valkey")


def status(folder: DataFolder) -> dict[str, Any]:
    """The document that `nexus status --json` prints.

    A process's `state` is waiting, starting, ready, unready (it runs, and does not answer as it should), restarting or
    stopped.
    """
    state, suite = folder.read_state(), Suite.in_folder(folder)
    running = state.is_running()
    table = [process for process in topology(suite, seed=False) if process.ready]
    rows = asyncio.run(_rows(table, state.processes if running else {}))
    return {
        "state": state.phase if running else "stopped",
        "supervisor": {"pid": state.supervisor.pid if running and state.supervisor else None},
        "gateway": suite.gateway_url,
        "ca": str(suite.ca_file),
        "mail": suite.browser_url("mail"),
        "payments": suite.browser_url("payments"),
        "services": {name: row for name, row in rows.items() if name not in STORES},
        **{name: rows[name] for name in STORES},
        "demo": {person: suite.demo_login(person) for person in DEMO_NAMES},
    }


async def _rows(table: list[Process], records: Mapping[str, Record]) -> dict[str, dict[str, Any]]:
    rows = await asyncio.gather(*(_row(process, records.get(process.name, Record("stopped"))) for process in table))
    return {process.name: row for process, row in zip(table, rows, strict=True)}


async def _row(process: Process, record: Record) -> dict[str, Any]:
    pid = record.identity.pid if record.identity and record.identity.is_alive() else None
    state = record.state
    if pid and state == "ready" and process.ready and not await process.ready():
        state = "unready"
    if pid is None and state == "ready":
        state = "restarting"  # it has just died, and the supervisor has not noticed yet
    return {
        "url": process.url,
        "port": urlsplit(process.url).port,
        "pid": pid,
        "state": state,
        "restarts": record.restarts,
    }
