"""Says how far a lab is: a line that changes on a terminal, whole lines on stderr elsewhere."""

from __future__ import annotations

import math
import time
from collections.abc import Callable

from rich.console import Console

from rlgrade.labs.lab import Lab
from rlgrade.learner.keeper import to_stderr

EVERY = 5.0  # seconds between two lines


def announce(name: str, lab: Lab, seeds: int) -> None:
    """Say that a lab begins, and how long it takes at most: a minute for its own seeds."""
    minutes = math.ceil(seeds / lab.seeds)
    longest = "a minute" if minutes == 1 else f"{minutes} minutes"
    to_stderr(f"running {name} on {seeds} seeds; at most {longest} on two free cores")


def live_line(console: Console, count: int) -> Callable[[int], None]:
    """What is called while `count` parts run; it writes how many are done over what it said."""
    begun = time.monotonic()

    def tell(done: int) -> None:
        text = f"running: {done} of {count} parts, {time.monotonic() - begun:.0f} s"
        console.file.write(f"\r\x1b[2K{text}" if done < count else "\r\x1b[2K")
        console.file.flush()

    return tell


def whole_lines(count: int, now: Callable[[], float] = time.monotonic) -> Callable[[int], None]:
    """The same for a pipe: a line on stderr every few seconds."""
    begun = said = now()

    def tell(done: int) -> None:
        nonlocal said
        if now() - said >= EVERY:
            said = now()
            parts = f"{done} of {count} parts done, " if count > 1 else ""
            to_stderr(f"still running, {parts}{said - begun:.0f} s")

    return tell
