"""What a worker gives up before it meets the submission (level L1)."""

from __future__ import annotations

import os
import resource
import sys
from dataclasses import dataclass
from pathlib import Path

MEBIBYTE = 1 << 20


@dataclass(frozen=True)
class Limits:
    """What one worker may use up, beyond what the warm server already has."""

    memory_mib: int = 1024
    cpu_seconds: int = 120
    file_mib: int = 16
    open_files: int = 64


def give_up(limits: Limits, keep: set[int], scratch: str) -> None:
    """Leave the judge's session, its files, its environment and its folder, and cap the rest.

    After this the process leads a group of its own, has open only the descriptors in `keep`, and
    stands in `scratch`, an empty folder.
    """
    os.setsid()
    _close_all_but(keep)
    os.chdir(scratch)
    os.environ.clear()
    os.environ.update(HOME=scratch, TMPDIR=scratch, PATH="/usr/bin:/bin", LANG="C.UTF-8")
    _cap(resource.RLIMIT_CORE, 0)
    _cap(resource.RLIMIT_CPU, limits.cpu_seconds)
    _cap(resource.RLIMIT_FSIZE, limits.file_mib * MEBIBYTE)
    _cap(resource.RLIMIT_NOFILE, limits.open_files)
    _cap(resource.RLIMIT_AS, _address_space() + limits.memory_mib * MEBIBYTE)


def _close_all_but(keep: set[int]) -> None:
    start = 0
    for descriptor in sorted(keep):
        if start < descriptor:  # closerange(0, 0) closes everything: its end wraps around
            os.closerange(start, descriptor)
        start = descriptor + 1
    os.closerange(start, 4096)


def _cap(what: int, value: int) -> None:
    _, hard = resource.getrlimit(what)
    if hard != resource.RLIM_INFINITY:
        value = min(value, hard)
    try:
        resource.setrlimit(what, (value, value))
    except (ValueError, OSError):
        if sys.platform.startswith("linux"):
            raise  # elsewhere some limits cannot be lowered; the wall clock still holds


def _address_space() -> int:
    """What the process has mapped already; torch maps far more than it uses."""
    try:
        pages = Path("/proc/self/statm").read_text().split()[0]
        return int(pages) * resource.getpagesize()
    except OSError:
        return 4096 * MEBIBYTE
