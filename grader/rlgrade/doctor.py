"""`rlgrade doctor`: what holds a submission in on this machine, found by putting it up."""

from __future__ import annotations

from dataclasses import dataclass

from rich.table import Table

from rlgrade.judge.link import Link
from rlgrade.judge.server import Server
from rlgrade.outcome import ExitCode
from rlgrade.render import make_console

LOAD_SECONDS = 30.0


@dataclass(frozen=True)
class Wall:
    """One step of `rlgrade.worker.sandbox`, for a person."""

    step: str
    level: str
    protects: str
    how_to_get: str


WALLS = (
    Wall("process", "L1", "checks and scores: they are in another process", "always there"),
    Wall("limits", "L1", "memory, CPU time, file size, open files, wall time", "always there"),
    Wall(
        "no new privileges",
        "L2",
        "set-uid programs give nothing",
        "Linux",
    ),
    Wall("capabilities", "L2", "root in a worker is root no more", "Linux"),
    Wall(
        "Landlock",
        "L2",
        "files: solutions, home, other submissions; TCP; signals",
        "Linux 5.13 with CONFIG_SECURITY_LANDLOCK (6.12 for signals)",
    ),
    Wall(
        "seccomp",
        "L2",
        "no programs, processes or sockets",
        "Linux with CONFIG_SECCOMP_FILTER, on x86_64 or aarch64",
    ),
    Wall(
        "namespaces",
        "L3",
        "no network, no shared memory, no sight of other processes",
        "sysctl kernel.unprivileged_userns_clone=1; in a container: allow unshare",
    ),
    Wall(
        "root folder",
        "L3",
        "hidden files are not there at all; nothing stays on disk",
        "comes with namespaces; needs Linux 5.12",
    ),
)


def doctor_command() -> ExitCode:
    """Fork one worker, ask which walls hold, and print them."""
    console = make_console()
    with Server() as server:
        link = Link(server, "empty.py", "", LOAD_SECONDS).load()
        level, missing = link.level, link.missing_walls
        link.close()
    table = Table(box=None, pad_edge=False)
    for heading in ("capability", "level", "works", "protects"):
        table.add_column(heading, overflow="fold")
    for wall in WALLS:
        why = missing.get(wall.step) or (missing.get("linux") if wall.level != "L1" else None)
        if wall.step == "root folder" and "namespaces" in missing:
            why = why or "no namespaces"
        works = "yes" if why is None else f"no: {why}"
        table.add_row(wall.step, wall.level, works, wall.protects)
        if why is not None:
            table.add_row("", "", "", f"to get it: {wall.how_to_get}")
    console.print(table)
    console.print(f"\nThis machine reaches {level}. Every report says which level held.")
    return ExitCode.PASSED
