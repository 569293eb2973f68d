"""Where the course is. Only `os` is imported: `rlgrade list` starts with this."""

from __future__ import annotations

import os

PACKAGE = os.path.dirname(os.path.abspath(__file__))


def wanted_root(named: str | None = None) -> str:
    """The folder of the course that was named, else of RLGRADE_COURSE, else of the one we bring.

    The one we bring lies in the package, or in a checkout two folders above it.
    """
    packaged = os.path.join(PACKAGE, "course")
    if not os.path.isdir(packaged):
        packaged = os.path.dirname(os.path.dirname(PACKAGE))
    return os.path.abspath(named or os.environ.get("RLGRADE_COURSE") or packaged)
