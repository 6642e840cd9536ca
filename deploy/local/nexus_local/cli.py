"""The `nexus` command: start, watch and stop the whole suite on this machine. Each command is one function.

Heavy imports wait inside the commands that need them, because `nexus status` is asked often.
"""

import json
import os
import shutil
import sys
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from nexus_local.ports import HIGHEST_OFFSET
from nexus_local.report import Report
from nexus_local.state import DataFolder

app = typer.Typer(
    no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False, help="The whole suite on this machine."
)

imports = typer.Typer(no_args_is_help=True, help="Bring in data that is kept elsewhere.")
app.add_typer(imports, name="import")

DataDir = Annotated[Path, typer.Option("--data-dir", help="Where the suite keeps everything.")]
DEFAULT_DATA_DIR = Path(".nexus")
DEMO_HOST = "host@nexus.example"


class Size(StrEnum):
    """How much demo data."""

    SMALL = "small"
    LARGE = "large"


def _folder(data_dir: Path) -> DataFolder:
    return DataFolder(data_dir.resolve())


def _existing(data_dir: Path) -> DataFolder:
    folder = _folder(data_dir)
    if not folder.lock.exists():
        Report().refused([f"there is no suite in {folder.root}"], "start one: nexus up")
        raise typer.Exit(1)
    return folder


@app.command()
def up(
    data_dir: DataDir = DEFAULT_DATA_DIR,
    port_offset: Annotated[
        int | None, typer.Option(min=0, max=HIGHEST_OFFSET, help="Added to every port. Remembered.")
    ] = None,
    seed: Annotated[bool, typer.Option(help="Make the demo data, once.")] = True,
    detach: Annotated[bool, typer.Option("--detach", help="Return when all is ready, and leave it running.")] = False,
    box: Annotated[bool, typer.Option(hidden=True)] = True,
) -> None:
    """Start everything, and keep it running until Ctrl-C."""
    from nexus_local.up import detached, run

    start = detached if detach else run
    raise typer.Exit(start(_folder(data_dir), port_offset=port_offset, seed=seed, box=box, report=Report()))


@app.command()
def down(data_dir: DataDir = DEFAULT_DATA_DIR) -> None:
    """Stop everything in the right order."""
    from nexus_local.down import stop

    stop(_folder(data_dir), Report())


@app.command()
def reset(data_dir: DataDir = DEFAULT_DATA_DIR) -> None:
    """Stop everything and delete its data: databases, mails, secrets, certificates."""
    from nexus_local.down import stop

    folder = _existing(data_dir)
    stop(folder, Report())
    shutil.rmtree(folder.root)
    Report().note(f"deleted {folder.root}")


@app.command()
def status(
    data_dir: DataDir = DEFAULT_DATA_DIR,
    as_json: Annotated[bool, typer.Option("--json", help="For programs; includes the demo logins.")] = False,
) -> None:
    """One row per process: name, pid, state, url, restarts."""
    from nexus_local.status import status as current

    found = current(_existing(data_dir))
    if as_json:
        print(json.dumps(found, indent=2))
    else:
        Report().table({"postgres": found["postgres"], "valkey": found["valkey"], **found["services"]})


@app.command()
def logs(
    name: Annotated[str | None, typer.Argument(help="One process; all of them if left out.")] = None,
    data_dir: DataDir = DEFAULT_DATA_DIR,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on with what is written from now.")] = False,
) -> None:
    """Show what the processes have written."""
    from nexus_local.logs import show

    folder = _existing(data_dir)
    files = sorted(folder.logs.glob("*.log")) if name is None else [folder.log(name)]
    if missing := [file for file in files if not file.exists()]:
        known = ", ".join(sorted(file.stem for file in folder.logs.glob("*.log")))
        Report().refused([f"{missing[0].stem} has no log"], f"one of: {known}")
        raise typer.Exit(1)
    show(files, follow=follow)


@app.command()
def seed(
    data_dir: DataDir = DEFAULT_DATA_DIR,
    size: Annotated[Size, typer.Option(help="60 or 200,000 listings.")] = Size.SMALL,
    number: Annotated[int, typer.Option("--seed", help="The same number makes the same listings.")] = 1,
) -> None:
    """Make the demo logins, listings and bookings, as far as they are missing."""
    from nexus_local.seed.command import seed as make

    make(_existing(data_dir), size, number)


@imports.command("listings")
def import_listings(
    file: Annotated[Path, typer.Argument(exists=True, dir_okay=False, help="A .csv or .ndjson file.")],
    email: Annotated[
        str, typer.Option("--as", help="Whose account imports; an admin's may name a host_id.")
    ] = DEMO_HOST,
    token: Annotated[str | None, typer.Option(envvar="NEXUS_TOKEN", help="An access token, instead of --as.")] = None,
    url: Annotated[str | None, typer.Option(help="A gateway; the suite on this machine if left out.")] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would happen, and keep nothing.")] = False,
    data_dir: DataDir = DEFAULT_DATA_DIR,
) -> None:
    """Bring in listings, safely again and again: `external_id` says which is which.

    Exit code 0: all accepted; 1: some refused, see FILE.refused.ndjson; 2: the file or the suite is of no use.
    """
    from nexus_local.import_command import import_file, target

    where = target(None if url else _existing(data_dir), url, email, token)
    raise typer.Exit(import_file(file, where, Report(), dry_run=dry_run))


@app.command()
def doctor(
    data_dir: DataDir = DEFAULT_DATA_DIR,
    port_offset: Annotated[int | None, typer.Option(min=0, max=HIGHEST_OFFSET)] = None,
) -> None:
    """Check that this machine can run the suite, and say what to do if not."""
    from nexus_local.doctor import examine

    raise typer.Exit(0 if examine(_folder(data_dir), port_offset, Report()) else 1)


@app.command("dead-letters", context_settings={"allow_extra_args": True, "ignore_unknown_options": True})
def dead_letters(
    context: typer.Context,
    action: Annotated[str, typer.Argument(help="list or redeliver; what follows is passed on.")],
    data_dir: DataDir = DEFAULT_DATA_DIR,
) -> None:
    """List the reactions that gave up, or have them run again."""
    from nexus_local.suite import Suite
    from nexus_local.topology import topology

    table = topology(Suite.in_folder(_existing(data_dir)), seed=False)
    worker = next(process for process in table if process.name == "worker")
    sys.stdout.flush()
    os.execve(  # noqa: S606  # no shell wanted
        sys.executable,
        [sys.executable, "-m", "nexus_worker.dead_letters", action, *context.args],
        {**os.environ, **worker.environment},
    )


if __name__ == "__main__":
    app()
