"""Sees that a file was saved, by looking at it."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

POLL_SECONDS = 0.02  # between two looks
GONE_SECONDS = 0.3  # an editor may empty a file, or take it away, before it writes the new one
Look = tuple[int, int, int]


class SavedFile:
    """Tells each save of one file once."""

    def __init__(self, path: Path, now: Callable[[], float] = time.monotonic) -> None:
        self.path = path
        self.now = now
        self._known = look(path)
        self._seen = self._known
        self._since = now()

    def know(self) -> None:
        """Take the file as it is now for known; to be called before it is read."""
        self._known = self._seen = look(self.path)

    def was_saved(self) -> bool:
        """Whether the file is another than the known one; one that is gone, after a moment."""
        seen = look(self.path)
        if seen != self._seen:
            self._seen, self._since = seen, self.now()
        there = seen is not None and seen[1] > 0
        return seen != self._known and (there or self.now() - self._since >= GONE_SECONDS)


def look(path: Path) -> Look | None:
    """What changes when a file is saved; None where there is none."""
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_mtime_ns, found.st_size, found.st_ino
