"""Other programs on the learner's terminal: the pager, and commands of ours."""

from __future__ import annotations

import contextlib
import io
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import click
from rich.console import Console

from rlgrade.render import make_console

LESS = "-R -Ps?e(end) .q goes back to rlgrade, space turns the page$"


def page(show: Callable[[Console], None]) -> None:
    """Show something long in the pager; without one, print it."""
    real = make_console()
    text = io.TextIOWrapper(io.BytesIO(), encoding=real.encoding, write_through=True)
    console = Console(
        file=text,
        force_terminal=True,
        width=real.width,
        color_system="standard" if real.color_system else None,
        no_color=real.no_color,
        highlight=False,
        emoji=False,
        markup=False,
    )
    show(console)
    text.seek(0)
    with _less_flags():
        click.echo_via_pager(text.read(), color=True)


@contextlib.contextmanager
def _less_flags() -> Iterator[None]:
    """`LESS` as the learner has it, and with -R, or colours come as codes; ours where it is unset.

    Less's own prompt is a colon, which tells nobody how to get back.
    """
    before = os.environ.get("LESS")
    own = before if before is None or "R" in before else f"{before} -R"
    os.environ["LESS"] = LESS if own is None else own
    try:
        yield
    finally:
        if before is None:
            del os.environ["LESS"]
        else:
            os.environ["LESS"] = before


def run_command(course: Path, *arguments: str) -> None:
    """Run another command of ours on this course, until it ends; Ctrl-C ends that one alone."""
    command = [sys.executable, "-P", "-m", "rlgrade", "--course", str(course), *arguments]
    before = signal.signal(signal.SIGINT, lambda number, frame: None)  # unlike SIG_IGN, for us only
    try:
        subprocess.run(command, check=False)
    finally:
        signal.signal(signal.SIGINT, before)
