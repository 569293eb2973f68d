"""Where course and workspace are. Only `os` is imported: `rlgrade list` starts with this."""

from __future__ import annotations

import os

STATE = ".rlgrade"
RECORD = "workspace.toml"
PACKAGE = os.path.dirname(os.path.abspath(__file__))


def wanted_root(named: str | None = None) -> str:
    """The folder of the course that was named, else of RLGRADE_COURSE, else of the one we bring.

    The one we bring lies in the package, or in a checkout two folders above it.
    """
    packaged = os.path.join(PACKAGE, "course")
    if not os.path.isdir(packaged):
        packaged = os.path.dirname(os.path.dirname(PACKAGE))
    return os.path.abspath(named or os.environ.get("RLGRADE_COURSE") or packaged)


def workspace_above(start: str) -> str | None:
    """The folder that was made by `rlgrade init`: `start` or one above it; None if none is."""
    folder = os.path.abspath(start)
    while not os.path.isfile(os.path.join(folder, STATE, RECORD)):
        folder, child = os.path.dirname(folder), folder
        if folder == child:
            return None
    return folder
