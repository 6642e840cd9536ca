"""What `nexus logs` prints: the end of each log, and with `-f` what is added to it."""

import time
from contextlib import suppress
from pathlib import Path

from nexus_local.report import Report, last_lines

SHOWN_LINES = 100
LOOK_EVERY_SECONDS = 0.2


def show(files: list[Path], *, follow: bool) -> None:
    """Each line with the name of its process, unless there is only one. With `follow`, until Ctrl-C."""
    with suppress(KeyboardInterrupt):
        _show(files, follow=follow)


def _show(files: list[Path], *, follow: bool) -> None:
    report = Report()
    sizes = {file: file.stat().st_size for file in files}
    for file in files:
        report.lines(_labelled(file, last_lines(file, SHOWN_LINES), files))
    while follow:
        time.sleep(LOOK_EVERY_SECONDS)
        for file in files:
            report.lines(_labelled(file, _added(file, sizes), files))


def _labelled(file: Path, lines: list[str], files: list[Path]) -> list[str]:
    return lines if len(files) == 1 else [f"{file.stem:<10} {line}" for line in lines]


def _added(file: Path, sizes: dict[Path, int]) -> list[str]:
    """The whole lines since the last look. A rotated log starts again."""
    if not file.exists():
        return []
    if file.stat().st_size < sizes[file]:
        sizes[file] = 0
    with file.open("rb") as log:
        log.seek(sizes[file])
        whole = log.read().rpartition(b"\n")[0]
    if not whole:
        return []
    sizes[file] += len(whole) + 1
    return whole.decode(errors="replace").splitlines()
