"""Other programs on the learner's terminal: the pager, and commands of ours."""

from __future__ import annotations

import io
import subprocess
import sys
from pathlib import Path

import click
from rich.console import Console

from rlgrade.learner.reading import show_markdown
from rlgrade.render import make_console


def page_markdown(text: str) -> None:
    """Show Markdown in the pager; without one, print it."""
    real = make_console()
    page = io.StringIO()
    console = Console(
        file=page,
        force_terminal=True,
        width=real.width,
        color_system="standard" if real.color_system else None,
        no_color=real.no_color,
        legacy_windows=False,
    )
    show_markdown(console, text, real.encoding)
    click.echo_via_pager(page.getvalue(), color=not real.no_color)


def run_command(course: Path, *arguments: str) -> None:
    """Run another command of ours on this course, until it ends."""
    subprocess.run(
        [sys.executable, "-m", "rlgrade", "--course", str(course), *arguments], check=False
    )
